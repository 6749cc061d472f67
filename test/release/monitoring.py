"""Checks of manifests/monitoring, with no cluster: python3 monitoring.py metrics|endpoints|reach|down|boards|rules|pages.

Prints what is wrong, a line each, and fails when there is something.
"""

import json
import pathlib
import re
import sys

import yaml

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TREE / "scripts"))
import kustomize  # noqa: E402
from program_metrics import SOURCES, metrics, metrics_of  # noqa: E402

FOLDER = TREE / "manifests/monitoring"
PAGE = TREE / "docs/monitoring.md"
MADE = TREE / "test/fixtures/egw-controller/pool.yaml"
WORKLOADS = ("DaemonSet", "Deployment")
# of PromQL, beside names of metrics
WORDS = {"sum", "min", "max", "count", "rate", "increase", "by", "and", "or", "on", "unless", "vector", "absent", "max_over_time",
         "histogram_quantile", "bottomk"}
UP = "up"  # Prometheus's own, of each target


def labels():
    """Every label that a source gives to a metric, and those that Prometheus and docs/monitoring.md add."""
    out = {"instance", "job", "le"} | {label for group in node_targets() for label in group.get("labels", ())}
    for folder in SOURCES:
        for file in sorted((TREE / folder).rglob("*.cpp")):
            for one, other in re.findall(r'\{"([a-z_]+)",|labels\["([a-z_]+)"\]', file.read_text()):
                out.add(one or other)
    return out


def rules():
    for document in yaml.safe_load_all((FOLDER / "rules.yaml").read_text()):
        for group in document["spec"]["groups"]:
            for rule in group["rules"]:
                yield rule


def boards():
    for file in sorted((FOLDER / "dashboards").glob("*.json")):
        yield file.name, json.loads(file.read_text())


def expressions():
    """(where, PromQL) of all rules and boards."""
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for name, board in boards():
        for panel in board["panels"]:
            for target in panel["targets"]:
                yield f"{name}: {panel['title']}", target["expr"]


def known_as(name, known):
    if name in known:
        return known[name] != "histogram"
    stem = re.sub(r"_(bucket|sum|count)$", "", name)
    return known.get(stem) == "histogram"


def wrong_metrics():
    known = metrics() | {UP: "gauge"}
    given = labels()
    used = set()
    for where, expression in expressions():
        bare = re.sub(r'"[^"]*"', '""', expression)
        grouped = re.findall(r"\b(?:by|on) \(([^)]*)\)", bare)
        matched = re.findall(r"\{([^}]*)\}", bare)
        for part in grouped + matched:
            for label in re.findall(r"[a-z_]+", part):
                if label not in given:
                    yield f"{where}: no source gives the label {label}"
        rest = re.sub(r"\{[^}]*\}|\[[^]]*\]|\b(?:by|on) \([^)]*\)", " ", bare)
        names = set(re.findall(r"\b[a-z][a-z0-9_]*\b", rest)) - WORDS
        used |= names
        yield from (f"{where}: no program prints {name}" for name in sorted(names) if not known_as(name, known))
        if bare.count("(") != bare.count(")") or not names:
            yield f"{where}: is no expression"
    for name in sorted({UP, "flanneld_ready", "holdfast_csi_registered", "egw_core_ready"} - used):
        yield f"nobody looks at {name}"


def named():
    """The metrics that rules, boards and docs name; of a histogram the name of its family."""
    known = metrics()
    used = {name for _, expression in expressions() for name in re.findall(r"\b[a-z][a-z0-9_]*\b", re.sub(r'"[^"]*"', "", expression))}
    for page in sorted((TREE / "docs").rglob("*.md")):
        used |= set(re.findall(r"`((?:flanneld|egw|holdfast|csi_plugin)_[a-z0-9_]*)(?:\{[^`]*\})?`", page.read_text()))
    stems = {re.sub(r"_(bucket|sum|count)$", "", name) if name not in known else name for name in used}
    return {name for name in stems if re.match(r"(flanneld|egw|holdfast|csi_plugin)_", name)}


def asked_for():
    """The beginnings of names that tests look for on the pages of programs that run: METRICS of scenes in Python, and those of
    test/fakes/wanted_metrics.h."""
    for file in sorted((TREE / "test").rglob("*.cpp")):
        text = file.read_text()
        yield from re.findall(r'metrics_not_in\([^;"]*(?:"/[a-z]*"[^;"]*)?"([a-z_]+)"\)', text)
        for names in re.findall(r"for \(const char\* \w+ : \{([^}]*)\}\) \{\s*CHECK\([^;]*metrics_not_in", text):
            yield from re.findall(r'"([a-z_]+)"', names)
    for file in sorted((TREE / "test").rglob("*.py")):
        for names in re.findall(r"^METRICS = \(([^)]*)\)", file.read_text(), re.MULTILINE):
            yield from re.findall(r'"([a-z_]+)"', names)


def wrong_pages():
    prefixes = tuple(asked_for())
    yield from (f"no test looks whether a program that runs has {name}" for name in sorted(named()) if not name.startswith(prefixes))


def wrong_endpoints():
    pods = [document["spec"]["template"] | {"namespace": document["metadata"]["namespace"]}
            for rendered in [*map(kustomize.render, sorted((TREE / "manifests/overlays").iterdir())),
                             yaml.safe_load_all(MADE.read_text())]
            for document in rendered if document["kind"] in WORKLOADS]
    for monitor in kustomize.render(FOLDER):
        if monitor["kind"] != "PodMonitor":
            continue
        name, namespace = monitor["metadata"]["name"], monitor["metadata"]["namespace"]
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        ports = [{port["name"] for container in pod["spec"]["containers"] for port in container.get("ports", [])}
                 for pod in pods if pod["namespace"] == namespace and wanted <= pod["metadata"]["labels"].items()]
        if not ports:
            yield f"{name}: no overlay has such pods"
        for endpoint in monitor["spec"]["podMetricsEndpoints"]:
            yield from (f"{name}: its pods have no port {endpoint['port']}" for each in ports if endpoint["port"] not in each)


def node_job():
    """The job of docs/monitoring.md that asks what answers on its own machine alone."""
    block = re.search(r"^    scrape_configs:\n(?:    .*\n)+", PAGE.read_text(), re.MULTILINE)[0]
    jobs = yaml.safe_load(block)["scrape_configs"]
    assert len(jobs) == 1
    return jobs[0]


def node_targets():
    return node_job()["static_configs"]


def served():
    """What has metrics: who it is, its program, namespace and labels, its named ports, the port and whether only its own machine may
    ask."""
    files = [*sorted((TREE / "manifests/base").rglob("*.yaml")), MADE]
    for document in (each for file in files for each in yaml.safe_load_all(file.read_text()) if each and each["kind"] in WORKLOADS):
        meta, pod = document["metadata"], document["spec"]["template"]
        for container in pod["spec"]["containers"]:
            for host, port in re.findall(r"--(?:metrics-address=|healthz=|healthz-port=)([\d.]*):?(\d{4,})\b",
                                         " ".join(container.get("args", []))):
                yield {"who": f"{document['kind']} {meta['namespace']}/{meta['name']}", "program": container["command"][0],
                       "namespace": meta["namespace"], "labels": pod["metadata"]["labels"], "port": int(port), "local": bool(host),
                       "names": {each["name"]: each["containerPort"] for each in container.get("ports", [])},
                       "of_node": document["kind"] == "DaemonSet" or container["command"] == ["egw-core"]}


def asked(one):
    """The jobs that ask for the metrics of one of served(), with the labels that they give beside."""
    if one["local"]:
        for group in node_targets():
            if f"127.0.0.1:{one['port']}" in group["targets"]:
                yield node_job()["job_name"], set(group.get("labels", ()))
    for monitor in monitors():
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        if monitor["metadata"]["namespace"] != one["namespace"] or not wanted <= one["labels"].items() or one["local"]:
            continue
        for endpoint in monitor["spec"]["podMetricsEndpoints"]:
            if one["names"].get(endpoint["port"]) == one["port"]:
                yield job_of(monitor), {each["targetLabel"] for each in endpoint.get("relabelings", ())}


def monitors():
    yield from (document for document in kustomize.render(FOLDER) if document["kind"] == "PodMonitor")


def job_of(monitor):
    """The label `job` that the operator of Prometheus gives to what a PodMonitor selects."""
    return f"{monitor['metadata']['namespace']}/{monitor['metadata']['name']}"


def wrong_reach():
    reached = set()
    for one in served():
        jobs = list(asked(one))
        if not jobs:
            yield f"{one['who']}: no PodMonitor and no target of docs/monitoring.md asks {one['program']} at port {one['port']}"
            continue
        reached |= set(metrics_of(one["program"]))
        if one["of_node"]:
            yield from (f"{one['who']}: job {job} does not give it its node's name as instance" for job, given in jobs if "instance" not in given)
    ports = {f"127.0.0.1:{one['port']}" for one in served() if one["local"]}
    for group in node_targets():
        yield from (f"docs/monitoring.md: nobody serves {target}" for target in group["targets"] if target not in ports)
    known = metrics()
    for where, expression in expressions():
        for name in sorted(set(re.findall(r"\b[a-z][a-z0-9_]*\b", re.sub(r'"[^"]*"', "", expression)))):
            family = name if name in known else re.sub(r"_(bucket|sum|count)$", "", name)
            if family in known and family not in reached:
                yield f"{where}: nobody asks the programs that print {name}"


def wrong_down():
    """Of what does not answer there is no metric, so a rule looks at each job; and what is not there in one of the overlays is no
    reason for an alert there."""
    jobs = {job_of(monitor) for monitor in monitors()} | {node_job()["job_name"]}
    looked = set()
    for rule in rules():
        for pattern in re.findall(r'\bup\{job=~?"([^"]*)"', rule["expr"]):
            found = {job for job in jobs if re.fullmatch(pattern, job)}
            looked |= found
            if not found:
                yield f"{rule['alert']}: there is no job {pattern}"
    yield from (f"no rule looks whether the targets of {job} answer" for job in sorted(jobs - looked))
    for overlay in sorted((TREE / "manifests/overlays").iterdir()):
        there = {container["command"][0] for document in kustomize.render(overlay) if document["kind"] in WORKLOADS
                 for container in document["spec"]["template"]["spec"]["containers"] if "command" in container}
        printed = {name for program in there for name in metrics_of(program)}
        for rule in rules():
            # of one machine alone there is one flanneld
            rest = re.sub(r"\(absent\(\w+\) and on \(\) count\(flanneld_ready\) > 1\)", "", rule["expr"]) \
                if overlay.name == "offline-single-node" else rule["expr"]
            yield from (f"{rule['alert']}: fires for ever in {overlay.name}, where nobody prints {name}"
                        for name in re.findall(r"\babsent\((\w+)\)", rest) if name not in printed)


def wrong_boards():
    uids = set()
    for name, board in boards():
        if board["uid"] in uids or not board["title"]:
            yield f"{name}: its uid or title is another's, or none"
        uids.add(board["uid"])
        sources = {each["name"] for each in board["templating"]["list"] if each["type"] == "datasource"}
        numbers = [panel["id"] for panel in board["panels"]]
        places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
        if len(set(numbers)) != len(numbers) or len(set(places)) != len(places):
            yield f"{name}: two panels have one number or place"
        for panel in board["panels"]:
            if panel["datasource"]["uid"].strip("${}") not in sources:
                yield f"{name}: {panel['title']}: its source of data is not one of the board's"
    if len(uids) < 3:
        yield "there are boards missing"


def wrong_rules():
    page = (TREE / "docs/monitoring.md").read_text()
    names = [rule["alert"] for rule in rules()]
    yield from (f"{name} is there twice" for name in sorted({name for name in names if names.count(name) > 1}))
    for rule in rules():
        name = rule["alert"]
        if rule["labels"]["severity"] not in ("critical", "warning", "info"):
            yield f"{name}: no such severity"
        if not re.fullmatch(r"\d+[mh]", rule["for"]) or set(rule["annotations"]) != {"summary", "cure"}:
            yield f"{name}: says not how long, what or how to cure"
        kept = {label for part in re.findall(r"by \(([^)]*)\)", rule["expr"]) for label in part.replace(" ", "").split(",")}
        for label in re.findall(r"\$labels\.([a-z_]+)", rule["annotations"]["summary"]):
            if label not in kept:
                yield f"{name}: its summary names {label}, which the expression drops"
        if f"`{name}`" not in page:
            yield f"{name}: docs/monitoring.md does not tell of it"


def main():
    checks = {"metrics": wrong_metrics, "endpoints": wrong_endpoints, "reach": wrong_reach, "down": wrong_down,
              "boards": wrong_boards, "rules": wrong_rules, "pages": wrong_pages}
    found = list(checks[sys.argv[1]]())
    print("\n".join(found))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
