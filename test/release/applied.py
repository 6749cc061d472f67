"""What kubectl and helm do with the manifests, on an API server for tests: python3 applied.py CHECK, one of those in main().

The lines that are run are those of the docs, where they stand so. Prints what is wrong, a line each, and fails when there is something.
"""

import contextlib
import json
import re
import shutil
import subprocess
import sys
import tempfile

import applied_cluster
import kube_tools
import manifests
import overlays
from applied_cluster import wait_for
from overlays import OVERLAYS, TREE, kustomize

INSTALL = (TREE / "docs/install.md").read_text()
UPGRADE = (TREE / "docs/upgrade.md").read_text()
DEFINITION = "CustomResourceDefinition"
# Upstream's kube-flannel.yml by what it has that ours meets: names, selectors and labels by version, and whose arguments are to be kept.
UPSTREAM_ARGUMENTS = ["--ip-masq", "--kube-subnet-mgr", "--iface=eth1"]


@contextlib.contextmanager
def cluster(others=True):
    with tempfile.TemporaryDirectory() as folder:
        one = applied_cluster.Cluster(folder, others)
        try:
            yield one
        finally:
            one.close()


def shown(page, line):
    """A line of a block, which must stand in the page so; what is behind its comment is left out."""
    lines = {re.sub(r"\s+# .*", "", each.strip()) for each in page.splitlines() if each.startswith("    ")} | \
        {each for row in page.splitlines() for each in re.findall(r"`([^`]+)`", row)}
    if line not in lines:
        raise RuntimeError(f"no page shows: {line}")
    return line


def rendered(folder):
    return {kustomize.identity(each): each for each in kustomize.render(folder)}


def within(part, whole):
    """Whether the object has all that was asked for, and lists as they were."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(key in whole and within(value, whole[key]) for key, value in part.items())
    return part == whole


def not_as(wanted, there, where):
    yield from (f"{where}: {key[1]} {key[3]} is not as it was applied" for key, each in wanted.items() if not within(each, there.get(key)))


def versions(one):
    return {key: each["metadata"]["resourceVersion"] for key, each in one.objects().items()}


def wrong_applied():
    """Each overlay: applied, applied again, compared, removed; the largest one also with the server's own fields."""
    for folder in OVERLAYS:
        yield from wrong_life(folder)
    yield from wrong_life(TREE / "manifests/overlays/ack", " --server-side")


def wrong_life(folder, how=""):
    with cluster() as one:
        before = set(one.objects())
        line, where = f"kubectl apply -k manifests/overlays/{folder.name}{how}", f"{folder.name}{how}"
        if said := re.findall(r"^[Ww]arning.*", one.run(line), re.MULTILINE):
            yield f"{where}: {said}"
        wanted, at = rendered(folder), versions(one)
        yield from not_as(wanted, one.objects(), where)
        one.run(line)
        if said := one.run(f"kubectl diff -k manifests/overlays/{folder.name}{how}"):
            yield f"{where}: kubectl diff: {said}"
        if versions(one) != at:
            yield f"{where}: applied again or compared it changes {[key for key, each in versions(one).items() if at.get(key) != each]}"
        one.run(shown(INSTALL, "kubectl delete --ignore-not-found -k manifests/overlays/NAME").replace("NAME", folder.name))
        if left := set(one.objects()) ^ before:
            yield f"{where}: removal leaves, or takes too much: {left}"


def upstream(version):
    """What upstream's manifest makes, as far as ours meets it: names, selectors and labels of that version, a network of its own."""
    selector, labels = overlays.UPSTREAMS[version]
    meta = {"namespace": "kube-flannel", "labels": {"app": "flannel", "k8s-app": "flannel", "tier": "node"}}
    rules = [{"apiGroups": [resource.rpartition("/")[0] if "." in resource else ""], "resources": [resource.rpartition("/")[2] if "." in resource else resource],
              "verbs": verbs.split()} for resource, verbs in manifests.UPSTREAM_FLANNELD]
    container = {"image": "registry.example.com/flannel:1", "command": ["/opt/bin/flanneld"], "args": UPSTREAM_ARGUMENTS}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-flannel", "labels": {"k8s-app": "flannel"}}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "flannel", **meta}},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "flannel"}, "rules": rules},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "flannel"},
         "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "flannel"},
         "subjects": [{"kind": "ServiceAccount", "name": "flannel", "namespace": "kube-flannel"}]},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kube-flannel-cfg", **meta},
         "data": {"net-conf.json": '{"Network": "10.42.0.0/16", "Backend": {"Type": "vxlan"}}', "cni-conf.json": "{}"}},
        {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "kube-flannel-ds", **meta},
         "spec": {"selector": {"matchLabels": selector}, "template": {"metadata": {"labels": labels}, "spec": {
             "hostNetwork": True, "serviceAccountName": "flannel", "priorityClassName": "system-node-critical",
             "initContainers": [{"name": "install-cni-plugin", "image": "registry.example.com/plugin:1", "command": ["cp"],
                                 "volumeMounts": [{"name": "cni-plugin", "mountPath": "/opt/cni/bin"}]}],
             "containers": [{"name": "kube-flannel", **container, "volumeMounts": [{"name": "run", "mountPath": "/run/flannel"}]}],
             "volumes": [{"name": "run", "hostPath": {"path": "/run/flannel"}},
                         {"name": "cni-plugin", "hostPath": {"path": "/opt/cni/bin"}}]}}}},
    ]


def objects_of(documents):
    return {kustomize.identity(each): each for each in documents}


DAEMON = ("apps", "DaemonSet", "kube-flannel", "kube-flannel-ds")
PODS = "/api/v1/namespaces/kube-flannel/pods"


def install_upstream(one, version, how="apply"):
    """As its users did, with a pod that runs on a node."""
    file = one.folder / "kube-flannel.yml"
    file.write_text(kustomize.yaml.safe_dump_all(upstream(version)))
    one.run(f"kubectl {how} -f {file}")
    made = one.objects()[DAEMON]
    one.api.create(PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": {
        "name": "kube-flannel-ds-x", "labels": made["spec"]["template"]["metadata"]["labels"],
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "kube-flannel-ds", "uid": made["metadata"]["uid"],
                             "controller": True}]}, "spec": {"nodeName": "edge-1"}})


def has_pod(one):
    return one.api.get(f"{PODS}/kube-flannel-ds-x") is not None


ORPHAN = "kubectl -n kube-flannel delete daemonset kube-flannel-ds --cascade=orphan"


def wrong_taken_over():
    """From upstream's flannel and back, as docs/upgrade.md says, of each version's selector."""
    taken = rendered(TREE / "manifests/overlays/take-over")
    for version in overlays.UPSTREAMS:
        with cluster() as one:
            install_upstream(one, version)
            theirs = objects_of(upstream(version))
            said = one.run(shown(UPGRADE, "kubectl -n kube-flannel get daemonset kube-flannel-ds "
                                 "-o jsonpath='{range .spec.template.spec.containers[*]}{.args}{.env}{end}'"))
            if said != json.dumps(UPSTREAM_ARGUMENTS, separators=(",", ":")):
                yield f"{version}: its arguments are told as {said}"
            one.run(shown(UPGRADE, ORPHAN))
            if not has_pod(one):
                yield f"{version}: the pods of upstream's DaemonSet go with it"
            one.run(shown(UPGRADE, "kubectl apply -k manifests/overlays/take-over"))
            there = one.objects()
            yield from not_as(taken, there, f"{version}, taken over")
            network = ("", "ConfigMap", "kube-flannel", "kube-flannel-cfg")
            if not within(theirs[network], there[network]):
                yield f"{version}: the cluster's network is another"
            leftover = json.dumps(there[DAEMON]["spec"])
            if "install-cni-plugin" in leftover or "registry.example.com" in leftover:
                yield f"{version}: our DaemonSet has parts of upstream's"
            # back
            one.run(ORPHAN)
            one.run(f"kubectl apply -f {one.folder}/kube-flannel.yml")
            yield from not_as(theirs, one.objects(), f"{version}, back")
            yield from wrong_removed(one, version, theirs)


def block_of(page, first):
    """The lines of a block, from the one that begins so."""
    found = re.search(rf"^    {re.escape(first)}.*\n(?:    .*\n)*", page, re.MULTILINE)
    return "".join(line[4:] for line in found[0].splitlines(keepends=True))


def wrong_removed(one, where, theirs):
    """docs/install.md, "Remove", where upstream's was put back."""
    status, said = one.shell(block_of(INSTALL, "for each in "))
    if status != 0 or "rror" in said:
        yield f"{where}: what docs/install.md says of removal: exit status {status}: {said}"
    there = one.objects()
    yield from not_as(theirs, there, f"{where}, removed")
    ours = {key for folder in OVERLAYS for key in rendered(folder)} - set(theirs)
    yield from (f"{where}: removal leaves {key[1]} {key[3]}" for key in sorted(ours & set(there), key=str))


def wrong_orphans():
    """Without the first command of docs/upgrade.md: refused, or both in one."""
    with cluster() as one:
        install_upstream(one, "0.20.2 and later")
        status, said = one.shell("kubectl apply -k manifests/overlays/take-over")
        if status == 0 or "spec.selector: Invalid value" not in said or "field is immutable" not in said:
            yield f"a selector is changed: {said}"
    with cluster() as one:
        install_upstream(one, "before, and Helm's", "create")
        one.shell("kubectl apply -k manifests/overlays/take-over")
        if "install-cni-plugin" not in json.dumps(one.objects()[DAEMON]):
            yield "nothing is merged, though docs/upgrade.md says so"


RECORDS = {
    "/apis/storage.holdfast.dev/v1alpha1/logicalvolumes": "LogicalVolume", "/apis/storage.holdfast.dev/v1alpha1/nasvolumes": "NasVolume",
    "/apis/net.holdfast.dev/v1alpha1/nodenetworkconfigurations": "NodeNetworkConfiguration",
    "/apis/net.holdfast.dev/v1alpha1/edgegateways": "EdgeGateway"}


def remember(one, *kinds, finalizers=()):
    """An object of each kind, as programs leave them."""
    for path, kind in RECORDS.items():
        if kind in kinds:
            one.api.create(path, {"apiVersion": path.split("/", 2)[2].rpartition("/")[0], "kind": kind,
                                  "metadata": {"name": "kept", "finalizers": list(finalizers)}})


def remembered(one):
    """Kinds whose object is there still."""
    return {kind for path, kind in RECORDS.items() if one.api.get(f"{path}/kept") is not None}


def kinds_left(one):
    """Definitions of ours."""
    return [each["metadata"]["name"] for each in one.api.items("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
            if each["metadata"]["name"].endswith(".holdfast.dev")]


def wrong_kept():
    """The programs alone are removed, and the same overlay is applied again."""
    line = shown(INSTALL, "kubectl delete --ignore-not-found -k manifests/overlays/NAME -l net.holdfast.dev/keeps!=records").replace("NAME", "ack")
    keys = "/api/v1/namespaces/egw-gateway/secrets"
    with cluster() as one:
        one.run("kubectl apply -k manifests/overlays/ack")
        remember(one, *RECORDS.values(), finalizers=["example.com/kept"])
        one.api.create(keys, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "p-keys"}})
        one.run(line)
        left = [key for key in one.objects() if key in rendered(TREE / "manifests/overlays/ack")]
        if any(kind not in (DEFINITION, "Namespace") for _, kind, _, _ in left):
            yield f"there are still {left}"
        one.run("kubectl apply -k manifests/overlays/ack")
        yield from not_as(rendered(TREE / "manifests/overlays/ack"), one.objects(), "applied again")
        if remembered(one) != set(RECORDS.values()) or one.api.get(f"{keys}/p-keys") is None:
            yield f"of records there are only {remembered(one)}"


def wrong_records():
    """What goes, waits and stays when an overlay is removed with records in it, by docs/install.md."""
    let_go = block_of(INSTALL, "for each in logicalvolumes")
    for kinds in (("LogicalVolume", "NasVolume"), ("LogicalVolume",), ("NasVolume",)):
        with cluster() as one:
            one.run("kubectl apply -k manifests/overlays/vanilla")
            remember(one, *kinds, finalizers=["example.com/kept"])
            removal = one.start("kubectl delete --ignore-not-found -k manifests/overlays/vanilla")
            wait_for(lambda: len(kinds_left(one)) == len(kinds), "more than the definitions of these records stays")
            if remembered(one) != set(kinds):
                yield f"{kinds}: records go that have finalizers"
            shutil.rmtree(one.folder / ".kube")  # what kubectl found before: the second shell may be another machine's
            status, said = one.shell(let_go)
            try:
                removal.wait(timeout=30)
            except subprocess.TimeoutExpired:
                removal.kill()
                yield f"{kinds}: removal waits for ever; {let_go.strip()}: exit status {status}: {said}"
            removal.stdout.close()


def helm(one, line):
    """A line of helm, of which FOLDER is a chart that docs/install.md has made."""
    chart = one.folder / "chart"
    if not chart.exists():
        one.run(shown(INSTALL, "python3 scripts/chart.py FOLDER 0.1.0").replace("FOLDER", str(chart)).replace("python3 ", "/usr/bin/python3 -B "))
    return one.shell(line.replace("FOLDER", str(chart)))


def applied_by_helm(where, one, line):
    status, said = helm(one, line)
    if status != 0:
        yield f"{where}: {line}: exit status {status}: {said}"


def stays(document):
    return document["kind"] == DEFINITION or document["metadata"].get("annotations", {}).get("helm.sh/resource-policy") == "keep"


def wrong_released():
    """Each overlay as a release of Helm's: installed and removed; the largest one also upgraded between, and installed again."""
    for folder in OVERLAYS:
        name, wanted = folder.name, rendered(folder)
        with cluster() as one:
            before = set(one.objects())
            yield from applied_by_helm(name, one, f"helm install holdfast FOLDER --set overlay={name}")
            yield from not_as(wanted, one.objects(), name)
            if name == "ack":
                yield from applied_by_helm(name, one, f"helm upgrade holdfast FOLDER --set overlay={name} --set imagePullPolicy=Always")
                if '"imagePullPolicy": "Always"' not in json.dumps(one.objects()[DAEMON]):
                    yield f"{name}: an upgrade changes nothing"
            one.run("helm uninstall holdfast")
            left = set(one.objects()) - before
            if left != {key for key, each in wanted.items() if stays(each)}:
                yield f"{name}: after removal there are {sorted(left, key=str)}"
            if name == "ack":
                yield from wrong_line(one, "again")
    with cluster() as one:
        yield from wrong_line(one, "new")


def wrong_line(one, where):
    """That of docs/install.md."""
    line = shown(INSTALL, "helm install holdfast FOLDER --set overlay=ack --set image=registry.example.com/holdfast:0.1.0")
    yield from applied_by_helm(where, one, line)
    images = {each["image"] for each in one.objects()[DAEMON]["spec"]["template"]["spec"]["containers"]}
    if images != {"registry.example.com/holdfast:0.1.0"}:
        yield f"{where}: flanneld is of {images}"


def wrong_released_over():
    """From upstream's flannel by Helm and back, and what was changed by hand meanwhile is set back."""
    taken, theirs = rendered(TREE / "manifests/overlays/take-over"), objects_of(upstream("0.20.2 and later"))
    with cluster() as one:
        install_upstream(one, "0.20.2 and later")
        one.run(ORPHAN)
        yield from applied_by_helm("taken over", one, shown(INSTALL, "helm install holdfast FOLDER --set overlay=take-over --take-ownership --force-conflicts"))
        if not has_pod(one):
            yield "the pods of upstream's DaemonSet go with it"
        yield from not_as(taken, one.objects(), "taken over")
        one.run(block_of(UPGRADE, "kubectl -n kube-flannel patch daemonset"))
        yield from applied_by_helm("upgraded", one, shown(UPGRADE, "helm upgrade holdfast FOLDER --reset-then-reuse-values --force-conflicts"))
        yield from not_as(taken, one.objects(), "upgraded")
        one.run(ORPHAN)
        one.run(f"kubectl apply -f {one.folder}/kube-flannel.yml")
        one.run("helm uninstall holdfast")
        yield from not_as(theirs, one.objects(), "back")
        yield from (f"Helm leaves {key[1]} {key[3]}" for key, each in taken.items() if key in one.objects() and not stays(each))


def wrong_class():
    """A class of before is not changed, and a new one is made once it was deleted, as docs/upgrade.md says."""
    key = ("storage.k8s.io", "StorageClass", None, "csi-local-lvm")
    wanted = rendered(TREE / "manifests/overlays/vanilla")
    earlier = {**wanted[key], "parameters": {**wanted[key]["parameters"], "lvmType": "linear"}}
    with cluster() as one:
        file = one.folder / "class.yaml"
        file.write_text(kustomize.yaml.safe_dump(earlier))
        one.run(f"kubectl apply -f {file}")
        status, said = one.shell("kubectl apply -k manifests/overlays/vanilla")
        if status == 0 or 'The StorageClass "csi-local-lvm" is invalid: parameters: Forbidden: updates to parameters are forbidden.' not in said:
            yield f"another class is refused with: {status} {said}"
        yield from not_as({each: wanted[each] for each in wanted if each != key}, one.objects(), "beside a class of before")
        one.run(shown(UPGRADE, "kubectl delete storageclass csi-local-lvm"))
        one.run("kubectl apply -k manifests/overlays/vanilla")
        yield from not_as(wanted, one.objects(), "once the class was deleted")


def wrong_columns():
    """kubectl shows each of our kinds by its own columns, and finds it by its short names."""
    with cluster() as one:
        one.run("kubectl apply -k manifests/overlays/ack")
        for each in rendered(TREE / "manifests/overlays/ack").values():
            if each["kind"] != DEFINITION:
                continue
            spec, names = each["spec"]["versions"][0], each["spec"]["names"]
            path = f"/apis/{each['spec']['group']}/{spec['name']}"
            path += "/namespaces/default" if each["spec"]["scope"] == "Namespaced" else ""
            one.api.create(f"{path}/{names['plural']}", {"apiVersion": f"{each['spec']['group']}/{spec['name']}", "kind": names["kind"],
                                                         "metadata": {"name": "one"}})
            wanted = ["NAME", *(column["name"].upper() for column in spec.get("additionalPrinterColumns", []) if not column.get("priority"))]
            for name in (names["plural"], names["singular"], *names.get("shortNames", [])):
                rows = [re.split(r"\s{2,}", line.strip()) for line in one.run(f"kubectl get {name}").splitlines()]
                if rows[0] != wanted or rows[1][0] != "one":
                    yield f"kubectl get {name} shows {rows}, and not {wanted}"


def wrong_rollout():
    """What docs/upgrade.md says of a rollout that waits."""
    daemon = "/apis/apps/v1/namespaces/kube-flannel/daemonsets/kube-flannel-ds"
    with cluster() as one:
        one.run("kubectl apply -k manifests/overlays/vanilla")
        one.run("kubectl -n kube-flannel rollout restart daemonset kube-flannel-ds")
        waits = one.start("kubectl -n kube-flannel rollout status daemonset kube-flannel-ds --timeout=60s")

        def tell(updated):
            one.api.merge(f"{daemon}/status", {"status": {
                "observedGeneration": one.api.get(daemon)["metadata"]["generation"], "desiredNumberScheduled": 2, "currentNumberScheduled": 2,
                "updatedNumberScheduled": updated, "numberAvailable": updated, "numberReady": updated}})
        tell(1)
        one.run(block_of(UPGRADE, "kubectl -n kube-flannel patch daemonset"))
        tell(2)
        if waits.wait(timeout=applied_cluster.SECONDS) != 0:
            yield f"rollout status: {waits.stdout.read()}"
        waits.stdout.close()
        spec = one.api.get(daemon)["spec"]
        if spec["updateStrategy"]["rollingUpdate"] != {"maxUnavailable": "40%"} or \
                "kubectl.kubernetes.io/restartedAt" not in spec["template"]["metadata"]["annotations"]:
            yield f"neither patched nor restarted: {spec}"


def main():
    checks = {"applied": wrong_applied, "taken_over": wrong_taken_over, "orphans": wrong_orphans, "kept": wrong_kept, "records": wrong_records,
              "released": wrong_released, "released_over": wrong_released_over, "class": wrong_class, "columns": wrong_columns, "rollout": wrong_rollout}
    found = 0
    for each in checks[sys.argv[1]]():
        found += 1
        print(each, flush=True)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
