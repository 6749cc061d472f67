"""Checks of manifests/monitoring, with no cluster: python3 monitoring.py metrics|endpoints|boards|rules|pages.

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

FOLDER = TREE / "manifests/monitoring"
SOURCES = ("cni-flannel", "common", "csi-disk", "csi-lvm", "csi-nas", "egw-gateway", "programs")
# of PromQL, beside names of metrics
WORDS = {"sum", "min", "max", "count", "rate", "increase", "by", "and", "or", "vector", "absent", "histogram_quantile", "bottomk"}


def metrics():
    """What our programs print, as their sources name it: {name: kind}."""
    out = {}
    for folder in SOURCES:
        for file in sorted((TREE / folder).rglob("*.cpp")):
            text = file.read_text()
            for match in re.finditer(r'(gauge|counter|histogram)\(\s*"([a-z0-9_]+)"', text):
                out[match[2]] = match[1]
            for match in re.finditer(r'"((?:flanneld|egw|holdfast)_[a-z0-9_]+)"', text):
                out.setdefault(match[1], "gauge")
    return out


def labels():
    """Every label that a source gives to a metric, and those that Prometheus adds."""
    out = {"instance", "job", "le"}
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
    known = metrics()
    given = labels()
    used = set()
    for where, expression in expressions():
        bare = re.sub(r'"[^"]*"', '""', expression)
        grouped = re.findall(r"\bby \(([^)]*)\)", bare)
        matched = re.findall(r"\{([^}]*)\}", bare)
        for part in grouped + matched:
            for label in re.findall(r"[a-z_]+", part):
                if label not in given:
                    yield f"{where}: no source gives the label {label}"
        rest = re.sub(r"\{[^}]*\}|\[[^]]*\]|\bby \([^)]*\)", " ", bare)
        names = set(re.findall(r"\b[a-z][a-z0-9_]*\b", rest)) - WORDS
        used |= names
        yield from (f"{where}: no program prints {name}" for name in sorted(names) if not known_as(name, known))
        if bare.count("(") != bare.count(")") or not names:
            yield f"{where}: is no expression"
    for name in sorted({"flanneld_ready", "holdfast_csi_registered", "egw_core_ready"} - used):
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
            for overlay in sorted((TREE / "manifests/overlays").iterdir()) for document in kustomize.render(overlay)
            if document["kind"] in ("DaemonSet", "Deployment")]
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
    checks = {"metrics": wrong_metrics, "endpoints": wrong_endpoints, "boards": wrong_boards, "rules": wrong_rules,
              "pages": wrong_pages}
    found = list(checks[sys.argv[1]]())
    print("\n".join(found))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
