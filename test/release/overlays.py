"""Checks of what the overlays render, with no cluster: python3 overlays.py CHECK, one of those in main().

Prints what is wrong, a line each, and fails when there is something.
"""

import pathlib
import re
import sys
import tempfile
import textwrap

import kinds

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TREE / "scripts"))
import kustomize  # noqa: E402
from image_name import image_name  # noqa: E402

BASE = TREE / "manifests/base"
OURS = image_name()
OVERLAYS = sorted(path for path in (TREE / "manifests/overlays").iterdir() if path.is_dir())
# Made for each place anew, or in the place of something else: no overlay has them.
ALONE = {"csi-lvm/node.yaml", "csi-nas/node.yaml", "egw-gateway/access.yaml"}
ANYWHERE = {"operator": "Exists"}
HOST_UNITS = "net.holdfast.dev/host-units"  # of a Node whose programs of ours are the packages' units
MANAGEMENT = {"node-role.alibabacloud.com/addon", "node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"}
# CSIDriver's fields as clusters have them: attachRequired, podInfoOnMount, storageCapacity, fsGroupPolicy.
DRIVERS = {"diskplugin.csi.alibabacloud.com": (True, True, False, "File"), "nasplugin.csi.alibabacloud.com": (False, True, False, "None"),
           "localplugin.csi.alibabacloud.com": (False, True, True, "File"), "eck.csi.k8s.io": (False, True, False, "File")}
# What egw-controller makes of a pool.
MADE = TREE / "test/fixtures/egw-controller/pool.yaml"
# DaemonSet kube-flannel-ds of upstream: (selector, labels of its pods). Its released manifest has `commonLabels` since 0.20.2.
APP = {"app": "flannel"}
BOTH = APP | {"k8s-app": "flannel"}
# What upstream's manifest has under the same names.
SHARED = {("Namespace", None, "kube-flannel"), ("DaemonSet", "kube-flannel", "kube-flannel-ds"), ("ConfigMap", "kube-flannel", "kube-flannel-cfg"),
          ("ServiceAccount", "kube-flannel", "flannel"), ("ClusterRole", None, "flannel"), ("ClusterRoleBinding", None, "flannel")}
UPSTREAMS = {"0.20.2 and later": (BOTH, BOTH | {"tier": "node"}), "before, and Helm's": (APP, APP | {"tier": "node"})}
SHARED_STATE = {"/var/lib/kubelet", "/var/lib/cni"}  # of others


def objects():
    """(overlay's name, object) of all that is rendered."""
    for folder in OVERLAYS:
        for each in kustomize.render(folder):
            yield folder.name, each


def objects_in_time():
    """Likewise, and what egw-controller makes where it is."""
    made = list(kustomize.yaml.safe_load_all(MADE.read_text().replace("image: holdfast", f"image: {OURS}")))
    for overlay, each in objects():
        yield overlay, each
        if each["kind"] == "Deployment" and each["metadata"]["name"] == "egw-controller":
            yield from ((overlay, one) for one in made)


def is_gateway(workload):
    """Of a pool: a Deployment whose pods are a node's nevertheless."""
    return workload["metadata"].get("labels", {}).get("app.kubernetes.io/managed-by") == "egw-controller" and workload["kind"] == "Deployment"


def pods():
    """(where, workload, pod spec) of all of them."""
    for overlay, each in objects_in_time():
        if each["kind"] in ("DaemonSet", "Deployment"):
            yield f"{overlay}: {each['metadata']['name']}", each, each["spec"]["template"]["spec"]


def ours_of(pod):
    return [each for each in pod["containers"] if each["image"] == OURS]


def wrong_render():
    used = set()
    for folder in OVERLAYS:
        try:
            rendered = kustomize.render(folder)
        except (kustomize.Refused, KeyError, IndexError) as error:
            yield f"{folder.name}: {error!r}"
            continue
        names = {each["metadata"]["name"] for each in rendered if each["kind"] == "Namespace"} | {"kube-system", "default"}
        for each in rendered:
            namespace = each["metadata"].get("namespace")
            if namespace and namespace not in names:
                yield f"{folder.name}: {each['kind']} {each['metadata']['name']}: nobody makes the namespace {namespace}"
            if not {"app.kubernetes.io/name", "app.kubernetes.io/part-of"} <= set(each["metadata"].get("labels", {})):
                yield f"{folder.name}: {each['kind']} {each['metadata']['name']}: no label tells what it is a part of"
            used.add(kustomize.identity(each))
    for folder in sorted(path for path in BASE.iterdir() if path.is_dir()):
        files = {f"{folder.name}/{path.name}" for path in folder.glob("*.yaml")}
        listed = {f"{folder.name}/{name}" for name in kustomize.yaml.safe_load(kustomize.file_of(folder).read_text())["resources"]}
        yield from (f"{name}: its Kustomization does not list it" for name in sorted(files - listed - ALONE))
        yield from (f"{each['kind']} {each['metadata']['name']} of {folder.name}: no overlay has it"
                    for each in kustomize.render(folder) if kustomize.identity(each) not in used)


def wrong_fields():
    for overlay, each in objects_in_time():
        where = f"{overlay}: {each['kind']} {each['metadata']['name']}"
        yield from (f"{where}: {wrong}" for wrong in kinds.wrong_fields(each))


def terms_of(pod):
    """What a node must have, as {key: (operator, values)}."""
    required = pod.get("affinity", {}).get("nodeAffinity", {}).get("requiredDuringSchedulingIgnoredDuringExecution", {})
    terms = required.get("nodeSelectorTerms", [{}])
    out = {each["key"]: (each["operator"], tuple(each.get("values", ()))) for each in terms[0].get("matchExpressions", [])}
    out.update({key: ("In", (value,)) for key, value in pod.get("nodeSelector", {}).items()})
    return out


def wrong_placement():
    for where, workload, pod in pods():
        terms = terms_of(pod)
        on_nodes = workload["kind"] == "DaemonSet"
        priority = "system-node-critical" if on_nodes or is_gateway(workload) else "system-cluster-critical"
        wanted = {
            "kubernetes.io/os is linux": terms.get("kubernetes.io/os") == ("In", ("linux",)),
            "an architecture of the image": set(terms.get("kubernetes.io/arch", ("", ()))[1]) in ({"amd64", "arm64"}, {"amd64"}),
            "no virtual-kubelet": terms.get("type") == ("NotIn", ("virtual-kubelet",)),
            f"priority {priority}": pod.get("priorityClassName") == priority,
            "a time to end": "terminationGracePeriodSeconds" in pod,
            "one term of nodes": len(pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
                                     ["nodeSelectorTerms"]) == 1,
        }
        if on_nodes:
            wanted["not beside the packages' units"] = terms.get(HOST_UNITS) == ("DoesNotExist", ())
            wanted["every taint tolerated"] = ANYWHERE in pod.get("tolerations", [])
            wanted["a tenth of the nodes at once"] = workload["spec"]["updateStrategy"]["rollingUpdate"] == {"maxUnavailable": "10%"}
            wanted["no further before it is well"] = workload["spec"].get("minReadySeconds", 0) > 0
        elif not is_gateway(workload):
            keys = {each["key"] for each in pod.get("tolerations", [])}
            wanted["nodes for management tolerated"] = keys >= MANAGEMENT
        for container in ours_of(pod):
            name = container["name"]
            wanted[f"{name}: requests"] = set(container.get("resources", {}).get("requests", {})) == {"cpu", "memory"}
            wanted[f"{name}: probes"] = {"livenessProbe", "readinessProbe"} <= set(container)
            wanted[f"{name}: the node's own image first"] = container.get("imagePullPolicy") == "IfNotPresent"
        for container in pod["containers"]:
            if container in ours_of(pod):
                continue
            name = container["name"]
            wanted[f"{name}: requests"] = set(container.get("resources", {}).get("requests", {})) == {"cpu", "memory"}
            wanted[f"{name}: the node's own image first"] = container.get("imagePullPolicy") == "IfNotPresent"
            wanted[f"{name}: more than five calls a second"] = "--kube-api-qps=50" in container["args"]
        yield from (f"{where}: {what}: no" for what, right in wanted.items() if not right)
    yield from wrong_budgets()
    yield from wrong_of_overlays()


def wrong_budgets():
    """A Deployment of several has a PodDisruptionBudget, and only such a one."""
    for folder in OVERLAYS:
        rendered = kustomize.render(folder)
        labels = [each["spec"]["selector"]["matchLabels"] for each in rendered if each["kind"] == "PodDisruptionBudget"]
        for each in rendered:
            if each["kind"] != "Deployment":
                continue
            its = each["spec"]["selector"]["matchLabels"]
            if each["spec"]["template"]["metadata"]["labels"] != its:
                yield f"{folder.name}: {each['metadata']['name']}: its pods bear other labels than it selects"
            if (its in labels) != (each["spec"]["replicas"] > 1):
                yield f"{folder.name}: {each['metadata']['name']}: a PodDisruptionBudget goes with several replicas"
            if not may_roll(each["spec"]):
                yield f"{folder.name}: {each['metadata']['name']}: where no node is free its next version never comes"


def may_roll(deployment):
    """Whether a new pod finds a node when there are no more nodes than pods that keep apart: one must go before."""
    pod = deployment["template"]["spec"]
    apart = pod.get("affinity", {}).get("podAntiAffinity", {}).get("requiredDuringSchedulingIgnoredDuringExecution")
    strategy = deployment.get("strategy", {})
    rolling = strategy.get("rollingUpdate", {})
    return not (apart or pod.get("hostNetwork")) or strategy.get("type") == "Recreate" or \
        (rolling.get("maxSurge") == 0 and rolling.get("maxUnavailable", 0) != 0)


def wrong_of_overlays():
    """What the vendors' guides say of where things run."""
    edge = "alibabacloud.com/is-edge-worker"
    for where, workload, pod in pods():
        overlay, name = where.split(": ")
        terms = terms_of(pod)
        in_cloud = terms.get(edge) == ("In", ("false",)) if overlay == "ack" else \
            terms.get("openyurt.io/is-edge-worker") == ("NotIn", ("true",))
        if workload["kind"] == "Deployment" and not is_gateway(workload) and not in_cloud:
            yield f"{where}: a controller is for nodes in the cloud"
        profiles = [argument for each in ours_of(pod) for argument in each.get("args", []) if argument.startswith("--profile=")]
        if workload["kind"] == "DaemonSet" and profiles and "--profile=nasplugin.csi.alibabacloud.com" not in profiles:
            yield f"{where}: pods with shares of NFS may come to its nodes, too, and nothing serves them there"
        if overlay == "ack" and name == "node-resource-manager" and \
                terms.get("alibabacloud.com/edge-enable-localstorage") != ("In", ("true",)):
            yield f"{where}: is for nodes with local storage"
    for folder in OVERLAYS:
        gives = any("--cluster-cidr" in argument for where, _, pod in pods() if where.startswith(f"{folder.name}: ")
                    for container in ours_of(pod) for argument in container.get("args", []))
        has_own = any(each["kind"] == "ConfigMap" and each["metadata"]["name"] == "kube-flannel-cfg" for each in kustomize.render(folder))
        if folder.name in ("ack", "eck", "tke", "take-over") and (gives or has_own):
            yield f"{folder.name}: the cluster gives pod CIDRs itself, and has its kube-flannel-cfg"


def apart(first, second):
    """Whether no node has both."""
    one, other = terms_of(first), terms_of(second)
    return any(one[key][0] == other[key][0] == "In" and not set(one[key][1]) & set(other[key][1]) for key in set(one) & set(other))


def ports_of(pod):
    """Ports of the node that its containers listen at, by what they say of themselves."""
    for container in ours_of(pod):
        for argument in container.get("args", []):
            if match := re.fullmatch(r"--(?:healthz|healthz-port|metrics-address)=(?:\S*:)?(\d+)", argument):
                yield int(match[1])


def wrong_ports():
    for folder in OVERLAYS:
        hosts = [(where, pod) for where, _, pod in pods() if where.startswith(f"{folder.name}: ") and pod.get("hostNetwork")]
        for i, (where, pod) in enumerate(hosts):
            yield from (f"{where} and {other}: both want port {port} of a node" for other, its in hosts[:i] if not apart(pod, its)
                        for port in set(ports_of(pod)) & set(ports_of(its)))
    for where, _, pod in pods():
        for container in ours_of(pod):
            heard = set(ports_of({"containers": [container]}))
            named = {each["name"]: each["containerPort"] for each in container.get("ports", [])}
            for probe in ("livenessProbe", "readinessProbe"):
                asked = container.get(probe, {}).get("httpGet", {})
                port = asked.get("port")
                if asked and pod.get("hostNetwork") and asked.get("host") != "127.0.0.1":
                    yield f"{where}: {container['name']}: {probe} asks the pod's address, which stays when the node gets another"
                if port is not None and named.get(port, port) not in heard:
                    yield f"{where}: {container['name']}: {probe} asks port {port}, where it does not listen"


def state_of(pod):
    """Folders of the node in which its containers keep what they know."""
    folders = {each["name"]: each["hostPath"]["path"] for each in pod.get("volumes", []) if "hostPath" in each}
    return {path for path in folders.values() if path.startswith("/var/lib/") and path not in SHARED_STATE}


def wrong_folders():
    for folder in OVERLAYS:
        its = [(where, pod) for where, _, pod in pods() if where.startswith(f"{folder.name}: ")]
        for i, (where, pod) in enumerate(its):
            yield from (f"{where} and {other}: both keep their state in {path} of a node" for other, others in its[:i]
                        if not apart(pod, others) for path in state_of(pod) & state_of(others))


def wrong_promises():
    """What one object says of another."""
    for folder in OVERLAYS:
        rendered = kustomize.render(folder)
        there = {(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in rendered}
        drivers = {each["metadata"]["name"] for each in rendered if each["kind"] == "CSIDriver"}
        served = set()
        for where, workload, pod in ((w, x, p) for w, x, p in pods() if w.startswith(f"{folder.name}: ")):
            namespace = workload["metadata"]["namespace"]
            for volume in pod.get("volumes", []):
                name = volume.get("configMap", {}).get("name")
                if name and ("ConfigMap", namespace, name) not in there and name != "kube-flannel-cfg":
                    yield f"{where}: there is no ConfigMap {name}"
            for container in ours_of(pod):
                served |= {argument.partition("=")[2] for argument in container.get("args", []) if argument.startswith("--profile=")}
                if container["command"] == ["egw-controller"] and f"--image={OURS}" not in container["args"]:
                    yield f"{where}: --image is not the image that it runs"
        for each in rendered:
            fields = [each.get("spec", {}).get(key) for key in ("attachRequired", "podInfoOnMount", "storageCapacity", "fsGroupPolicy")]
            if each["kind"] == "CSIDriver" and fields != list(DRIVERS[each["metadata"]["name"]]):
                yield f"{folder.name}: CSIDriver {each['metadata']['name']} is not as users have it"
            if each["metadata"]["name"] == "csi-local-lvm" and each["parameters"]["lvmType"] != "striping":
                yield f"{folder.name}: csi-local-lvm is not striped, as users have it"
            if each["kind"] == "StorageClass" and each["provisioner"] not in drivers:
                yield f"{folder.name}: StorageClass {each['metadata']['name']}: no CSIDriver {each['provisioner']}"
        yield from (f"{folder.name}: CSIDriver {driver}: no node serves it" for driver in sorted(drivers - served))
        yield from (f"{folder.name}: no CSIDriver {driver}, which nodes serve"
                    for driver in sorted(served - drivers) if "." in driver)


def wrong_adoption():
    """When a DaemonSet was deleted with its pods left alone, the next one must take them for its own, ours and upstream's."""
    for folder in OVERLAYS:
        ours = next(each for each in kustomize.render(folder) if each["metadata"]["name"] == "kube-flannel-ds")
        selector = ours["spec"]["selector"]["matchLabels"]
        labels = ours["spec"]["template"]["metadata"]["labels"]
        for which, (its_selector, its_labels) in UPSTREAMS.items():
            if not selector.items() <= its_labels.items():
                yield f"{folder.name}: flanneld of upstream, {which}, would run beside ours"
            if not its_selector.items() <= labels.items():
                yield f"{folder.name}: ours would run beside upstream's, {which}, when that is put back"
    if (TREE / "docs/upgrade.md").read_text().count("delete daemonset kube-flannel-ds --cascade=orphan") != 2:
        yield "docs/upgrade.md does not say that the DaemonSet is deleted without its pods, there and back"


def removed():
    """What docs/install.md, "Remove", says goes where a flannel of upstream's is to stay."""
    text = (TREE / "docs/install.md").read_text().partition("\n## Remove\n")[2]
    for name in re.search(r"^    for each in (.*); do$", text, re.MULTILINE)[1].split():
        yield from map(kustomize.identity, kustomize.render(BASE / name))
    for name in re.findall(r" -f (manifests/\S+)", text):
        yield from map(kustomize.identity, filter(None, kustomize.yaml.safe_load_all((TREE / name).read_text())))
    for name in re.findall(r"-n default delete --ignore-not-found role,rolebinding (\S+)", text):
        yield from (("rbac.authorization.k8s.io", kind, "default", name) for kind in ("Role", "RoleBinding"))


def finalized():
    """The plurals of the kinds whose objects our programs give a finalizer, which is named as one of them."""
    for header in [*TREE.glob("csi-*/**/*.h"), *TREE.glob("common/**/*.h"), *TREE.glob("egw-gateway/**/*.h"), *TREE.glob("cni-flannel/**/*.h")]:
        for name in re.findall(r'Finalizer = "[a-z.]*holdfast\.dev/([a-z-]+)"', header.read_text()):
            yield name.replace("-", "") + "s"


def wrong_removal():
    gone = set(removed())
    yield from (f"docs/install.md removes {kind} {name}, which may be upstream's" for _, kind, namespace, name in gone
                if (kind, namespace, name) in SHARED)
    if f"for each in {' '.join(sorted(set(finalized())))}; do\n      kubectl get $each -o name" not in (TREE / "docs/install.md").read_text():
        yield f"docs/install.md does not let go of {sorted(finalized())}, which have finalizers"
    seen = set()
    for overlay, each in objects():
        _, kind, namespace, name = kustomize.identity(each)
        is_shared = (kind, namespace, name) in SHARED
        if not is_shared and kustomize.identity(each) not in gone:
            yield f"{overlay}: {kind} {name}: docs/install.md does not say how it is removed"
        if is_shared != (each["metadata"].get("annotations", {}).get("helm.sh/resource-policy") == "keep"):
            yield f"{overlay}: {kind} {name}: what upstream's flannel has too stays when a release of Helm's goes, and nothing else does"
        seen.add((kind, namespace, name))
    yield from (f"{kind} {name} is upstream's, and not replaced by ours" for kind, _, name in SHARED - seen)


def wrong_order():
    """`kubectl apply -f FOLDER` takes files by their names: a namespace comes before what is in it."""
    for folder in sorted(path for path in BASE.iterdir() if path.is_dir()):
        texts = [file.read_text() for file in sorted(folder.glob("*.yaml"))]
        there = [each for text in texts for each in kustomize.yaml.safe_load_all(text) if each]
        made = [each["metadata"]["name"] for each in there if each["kind"] == "Namespace"]
        for at, each in enumerate(there):
            before = [one["metadata"]["name"] for one in there[:at] if one["kind"] == "Namespace"]
            if each["metadata"].get("namespace") in made and each["metadata"]["namespace"] not in before:
                yield f"{folder.name}: {each['kind']} {each['metadata']['name']} comes before its namespace"


def wrong_definitions():
    for overlay, each in objects():
        if each["kind"] == "CustomResourceDefinition":
            where = f"{overlay}: {each['metadata']['name']}"
            yield from (f"{where}: {wrong}" for wrong in kinds.wrong_definition(each))

def examples():
    """(page's name, folder) of each folder of one's own that a page shows, beside ours; the folder is there until the next one."""
    for page in sorted((TREE / "docs").glob("*.md")):
        for example in re.finditer(r"^( {4,})# site/kustomization\.yaml.*\n(?:\1.*\n)+", page.read_text(), re.MULTILINE):
            with tempfile.TemporaryDirectory() as place:
                site = pathlib.Path(place, "site")
                site.mkdir()
                pathlib.Path(place, "holdfast").symlink_to(TREE)
                (site / "kustomization.yaml").write_text(textwrap.dedent(example[0]))
                yield page.name, site


def refused():
    """Folders that kustomize refuses; each is there until the next one."""
    with tempfile.TemporaryDirectory() as place:
        for wanted in (TREE / "manifests/overlays/tke", "../rbac.yaml"):
            pathlib.Path(place, "kustomization.yaml").write_text(f"resources: [{wanted}]")
            yield place


def wrong_examples():
    """A folder that a page shows renders beside ours, and each of its patches meets something."""
    shown = 0
    for page, site in examples():
        shown += 1
        try:
            if OURS in kustomize.yaml.safe_dump(kustomize.render(site)) and "images:" in (site / "kustomization.yaml").read_text():
                yield f"{page}: something is still of the image that no registry has"
        except (kustomize.Refused, kustomize.yaml.YAMLError, OSError, KeyError) as error:
            yield f"{page}: {error}"
        if "no-admission-policies" in (site / "kustomization.yaml").read_text() and \
                any(each["kind"].startswith("ValidatingAdmissionPolicy") for each in kustomize.render(site)):
            yield f"{page}: a policy stays"
    if shown == 0:
        yield "no page shows a folder of one's own"
    yield from wrong_refusals()


def wrong_refusals():
    """What kustomize refuses must not render here, or examples are shown that nobody can apply."""
    for folder in refused():
        try:
            kustomize.render(folder)
            yield f"{pathlib.Path(folder, 'kustomization.yaml').read_text()} is taken"
        except kustomize.Refused:
            pass


def ways():
    """(overlay, text) of each way from nothing to a pod that docs/install.md tells."""
    text = (TREE / "docs/install.md").read_text().partition("\n## Step by step\n")[2].partition("\n## ")[0]
    for part in text.split("\n### ")[1:]:
        name, _, way = part.partition("\n")
        yield name.strip("`"), way


def columns_of(rendered):
    """By what kubectl calls our kinds, the columns that it shows of them."""
    return {each["spec"]["names"]["plural"]: ["NAME", *(column["name"].upper() for column in
                                                        each["spec"]["versions"][0].get("additionalPrinterColumns", []) if not column.get("priority"))]
            for each in rendered if each["kind"] == "CustomResourceDefinition"}


def wrong_ways():
    """What a way waits for, its overlay has, and what it shows of our kinds is how kubectl shows them."""
    told = dict(ways())
    if missing := {path.name for path in OVERLAYS} - {"take-over"} - set(told):
        yield f"there is no way for {missing}"
    for name, way in told.items():
        rendered = kustomize.render(TREE / "manifests/overlays" / name)
        there = {(each["kind"].lower(), each["metadata"].get("namespace"), each["metadata"]["name"]) for each in rendered}
        drivers = sorted(each["metadata"]["name"] for each in rendered if each["kind"] == "CSIDriver")
        steps = [int(number) for number in re.findall(r"^(\d+)\. ", way, re.MULTILINE)]
        if steps != list(range(1, len(steps) + 1)) or len(steps) < 4:
            yield f"{name}: its steps are {steps}"
        if not re.search(rf"manifests/overlays/{name}\b", way):
            yield f"{name}: is never applied"
        waited = re.findall(r"kubectl -n (\S+) rollout status (\w+) (\S+)", way)
        yield from (f"{name}: waits for {kind} {namespace}/{each}, which it has not" for namespace, kind, each in waited
                    if (kind, namespace, each) not in there)
        if not waited:
            yield f"{name}: waits for nothing"
        columns = columns_of(rendered)
        for kind, header in re.findall(r"kubectl get (\w+)\n\n +(NAME .*)", way):
            if header.split() != columns.get(kind, header.split()):
                yield f"{name}: kubectl get {kind} shows {columns[kind]}"
        for shown in re.findall(r"drivers\[\*\]\.name\}'\n\n +(.*)", way):
            if shown.split() != drivers:
                yield f"{name}: its drivers are {drivers}"


def main():
    checks = {"render": wrong_render, "fields": wrong_fields, "placement": wrong_placement, "ports": wrong_ports,
              "folders": wrong_folders, "promises": wrong_promises, "adoption": wrong_adoption,
              "removal": wrong_removal, "order": wrong_order, "definitions": wrong_definitions,
              "examples": wrong_examples, "ways": wrong_ways}
    if len(OVERLAYS) < 5:
        sys.exit("there are overlays missing")
    found = list(checks[sys.argv[1]]())
    print("\n".join(found))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
