"""Checks of the manifests that need no cluster: python3 manifests.py containers|names|volumes|accounts|sidecars|leases|upstream|bounds|units.

Prints what is wrong, a line each, and fails when there is something.
"""

import pathlib
import re
import subprocess
import sys

import yaml

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TREE / "scripts"))
import image_name  # noqa: E402

OURS = image_name.image_name()
UPSTREAM = re.compile(r"registry\.k8s\.io/sig-storage/[a-z-]+:v\d+\.\d+\.\d+")
WHOLE = ("/", "/run", "/var", "/var/run", "/etc")  # with sockets or files that give the node to whoever has them
WORKLOADS = ("DaemonSet", "Deployment", "StatefulSet")

# What a sidecar asks the API server for, by its image and a flag of it ("": always): resources, verbs. Source: the file
# deploy/kubernetes/rbac.yaml of each of kubernetes-csi's external-provisioner, -attacher, -resizer and -snapshotter.
READ = "get list watch"
EVENTS = ("events", "list watch create update patch")
SIDECARS = {
    ("csi-provisioner", ""): [("persistentvolumes", READ + " create patch delete"), ("persistentvolumeclaims", READ + " update"),
                              ("storage.k8s.io/storageclasses", READ), EVENTS],
    ("csi-provisioner", "--feature-gates=Topology=true"): [("nodes", READ), ("storage.k8s.io/csinodes", READ)],
    ("csi-attacher", ""): [("persistentvolumes", READ + " patch"), ("storage.k8s.io/csinodes", READ),
                           ("storage.k8s.io/volumeattachments", READ + " patch"),
                           ("storage.k8s.io/volumeattachments/status", "patch")],
    ("csi-resizer", ""): [("persistentvolumes", READ + " patch"), ("persistentvolumeclaims", READ),
                          ("persistentvolumeclaims/status", "patch"), ("pods", READ), EVENTS],
    ("csi-snapshotter", ""): [("snapshot.storage.k8s.io/volumesnapshotclasses", READ),
                              ("snapshot.storage.k8s.io/volumesnapshotcontents", READ + " update patch"),
                              ("snapshot.storage.k8s.io/volumesnapshotcontents/status", "update patch"), EVENTS],
    ("", "--leader-election"): [("coordination.k8s.io/leases", "create")],
}
# The Lease by which one of each works, but for what stands for the driver: "." is "-" there. Source: the call of csi-lib-utils'
# leaderelection in main.go of each.
SIDECAR_LEASES = {"csi-provisioner": "", "csi-attacher": "external-attacher-leader-", "csi-resizer": "external-resizer-",
                  "csi-snapshotter": "external-snapshotter-leader-"}
# What upstream's flanneld asks for: its ClusterRole `flannel`, which ours replaces.
UPSTREAM_FLANNELD = [("pods", "get"), ("nodes", READ), ("nodes/status", "patch"), ("networking.k8s.io/clustercidrs", "list watch")]


def documents():
    """(file, object) of every manifest."""
    for file in sorted((TREE / "manifests").rglob("*.yaml")):
        for document in yaml.safe_load_all(file.read_text()):
            if document and document.get("kind") not in (None, "Kustomization"):
                yield file.relative_to(TREE), document


def pods():
    """(where, pod spec, namespace) of every workload."""
    for file, document in documents():
        if document["kind"] in WORKLOADS:
            meta = document["metadata"]
            yield f"{file}: {meta['name']}", document["spec"]["template"]["spec"], meta["namespace"]


def containers_of(pod):
    return pod.get("initContainers", []) + pod["containers"]


def flags_of(program):
    """The flags that `program --help` tells of; none for a program that is not ours."""
    path = TREE / "build/bin" / program
    if not path.exists():
        return None
    said = subprocess.run([path, "--help"], capture_output=True, text=True, timeout=20, check=True)
    return set(re.findall(r"^\s*--([a-z0-9-]+)", said.stdout + said.stderr, re.MULTILINE))


def wrong_containers():
    for where, pod, _ in pods():
        for container in containers_of(pod):
            name = f"{where}: container {container['name']}"
            if container["image"] != OURS:
                if not UPSTREAM.fullmatch(container["image"]):
                    yield f"{name}: image {container['image']} is neither ours nor a sidecar's, with a version"
                continue
            program = container["command"][0]
            if program == "/bin/sh":
                continue
            flags = flags_of(program)
            if flags is None:
                yield f"{name}: there is no program {program}"
                continue
            for argument in container["command"][1:] + container.get("args", []):
                flag = re.match(r"--([a-z0-9-]+)", argument)
                if not flag or flag[1] not in flags:
                    yield f"{name}: {program} --help does not tell of {argument}"


def wrong_names():
    """One name of our image in all that names it: nodes look for what manifests say, and what containerd imported is all that is there."""
    for file in (*sorted((TREE / "manifests").rglob("*.yaml")), *sorted((TREE / "docs").glob("*.md")), TREE / "README.md"):
        yield from (f"{file.relative_to(TREE)}: {said} is not {OURS}"
                    for said in re.findall(re.escape(image_name.REPOSITORY) + r":[0-9a-z.]+", file.read_text()) if said != OURS)
    said = subprocess.run([TREE / "build/bin/egw-controller", "--help"], capture_output=True, text=True, timeout=20, check=True)
    if f"[{OURS}]" not in said.stdout + said.stderr:
        yield f"egw-controller makes gateways of another image than {OURS} when it is told none"


def wrong_volumes():
    for where, pod, _ in pods():
        made = {volume["name"] for volume in pod.get("volumes", [])}
        mounted = {mount["name"] for container in containers_of(pod) for mount in container.get("volumeMounts", [])}
        for name in sorted(mounted - made):
            yield f"{where}: no volume {name}"
        for name in sorted(made - mounted):
            yield f"{where}: nobody mounts volume {name}"
        yield from (f"{where}: {container['name']}: mounts the node's {paths[mount['name']]}, but is not privileged"
                    for paths in [{each["name"]: each.get("hostPath", {}).get("path") for each in pod.get("volumes", [])}]
                    for container in containers_of(pod) if not container.get("securityContext", {}).get("privileged")
                    for mount in container.get("volumeMounts", []) if paths.get(mount["name"]) in WHOLE)


def wrong_accounts():
    objects = {}
    for file, document in documents():
        meta = document["metadata"]
        objects[document["kind"], meta.get("namespace"), meta["name"]] = (file, document)
    for where, pod, namespace in pods():
        account = pod.get("serviceAccountName")
        if account and ("ServiceAccount", namespace, account) not in objects:
            yield f"{where}: no ServiceAccount {namespace}/{account}"
    bound = set()
    for (kind, namespace, name), (file, document) in objects.items():
        if kind not in ("RoleBinding", "ClusterRoleBinding"):
            continue
        role = document["roleRef"]["kind"]
        bound.add((role, namespace if role == "Role" else None, document["roleRef"]["name"]))
        for subject in document["subjects"]:
            if subject["kind"] == "ServiceAccount" and ("ServiceAccount", subject["namespace"], subject["name"]) not in objects:
                yield f"{file}: {kind} {name}: no ServiceAccount {subject['namespace']}/{subject['name']}"
    for key in bound:
        if key not in objects:
            yield f"no {key[0]} {key[2]}, which is bound"
    for key, (file, document) in objects.items():
        if key[0] not in ("Role", "ClusterRole"):
            continue
        if key not in bound:
            yield f"{file}: {key[0]} {key[2]} is bound to nobody"
        for rule in document["rules"]:
            if any("*" in name for names in rule.values() for name in names):
                yield f"{file}: {key[0]} {key[2]} has a wildcard"


def rules_of(account, namespace):
    """Of the roles that a service account has, in its own namespace at least."""
    roles = {}
    bindings = []
    for _, document in documents():
        if document["kind"] in ("Role", "ClusterRole"):
            roles[document["kind"], document["metadata"]["name"]] = document["rules"]
        elif document["kind"] in ("RoleBinding", "ClusterRoleBinding"):
            bindings.append(document)
    for binding in bindings:
        if any(each["name"] == account and each.get("namespace") == namespace for each in binding["subjects"]):
            yield from roles.get((binding["roleRef"]["kind"], binding["roleRef"]["name"]), [])


def granted_by(rules):
    """(resource with its group, verb)"""
    return {(f"{group}/{resource}".lstrip("/"), verb) for rule in rules for group in rule["apiGroups"]
            for resource in rule["resources"] for verb in rule["verbs"]}


def granted_to(account, namespace):
    """(resource with its group, verb) that a service account may do, whatever the object's name."""
    return granted_by(rule for rule in rules_of(account, namespace) if "resourceNames" not in rule)


def wrong_leases():
    """Who leads is told by Leases beside those of the cluster's own programs: each account may write its own, and no other."""
    drivers = {pathlib.Path(file).parent: document["metadata"]["name"] for file, document in documents() if document["kind"] == "CSIDriver"}
    for where, pod, namespace in pods():
        rules = list(rules_of(pod.get("serviceAccountName"), namespace))
        yield from (f"{where}: may {verb} every Lease of {namespace}" for resource, verb in
                    sorted(granted_by(rule for rule in rules if "resourceNames" not in rule))
                    if resource == "coordination.k8s.io/leases" and verb != "create")
        allowed = {name: rule["verbs"] for rule in rules if "leases" in rule["resources"] for name in rule.get("resourceNames", [])}
        for container in pod["containers"]:
            image = container["image"].rpartition("/")[2].partition(":")[0]
            if image not in SIDECAR_LEASES or "--leader-election" not in container.get("args", []):
                continue
            name = SIDECAR_LEASES[image] + drivers[pathlib.Path(where.partition(":")[0]).parent].replace(".", "-")
            if not {"get", "update"} <= set(allowed.pop(name, [])):
                yield f"{where}: container {container['name']} may not keep the Lease {name}"
        yield from (f"{where}: may write the Lease {name}, which nobody of its pod has" for name in allowed if name != pod["serviceAccountName"])


def wrong_sidecars():
    for where, pod, namespace in pods():
        for container in containers_of(pod):
            image = container["image"].rpartition("/")[2].partition(":")[0]
            if container["image"] == OURS:
                continue
            granted = granted_to(pod.get("serviceAccountName"), namespace)
            for (of, flag), needs in SIDECARS.items():
                if of not in ("", image) or flag not in ["", *container.get("args", [])]:
                    continue
                for resource, verbs in needs:
                    missing = [verb for verb in verbs.split() if (resource, verb) not in granted]
                    if missing:
                        yield f"{where}: container {container['name']} may not {' '.join(missing)} {resource}"


def wrong_upstream():
    """Upstream's flanneld goes on under the account that ours has until it is replaced."""
    granted = granted_to("flannel", "kube-flannel")
    yield from (f"upstream's flanneld may not {verb} {resource}, which it asks for" for resource, verbs in UPSTREAM_FLANNELD
                for verb in verbs.split() if (resource, verb) not in granted)


def bounded_for(account, namespace):
    """Resources with their groups whose writes by a service account a ValidatingAdmissionPolicy that is in force judges."""
    policies = [document for _, document in documents() if document["kind"] == "ValidatingAdmissionPolicy"]
    bound = {document["spec"]["policyName"] for _, document in documents() if document["kind"] == "ValidatingAdmissionPolicyBinding"
             and document["spec"]["validationActions"] == ["Deny"]}
    user = f"'system:serviceaccount:{namespace}:{account}'"
    for policy in policies:
        conditions = policy["spec"]["matchConditions"]
        if policy["metadata"]["name"] not in bound or policy["spec"]["failurePolicy"] != "Fail" or \
                len(conditions) != 1 or user not in conditions[0]["expression"]:
            continue
        for rule in policy["spec"]["matchConstraints"]["resourceRules"]:
            yield from (f"{group}/{resource}".lstrip("/") for group in rule["apiGroups"] for resource in rule["resources"]
                        if set(rule["operations"]) >= {"CREATE", "UPDATE"})


def cluster_node_page():
    """What docs/debian-packages.md says of a node of a cluster."""
    return (TREE / "docs/debian-packages.md").read_text().partition("\n## A node of a cluster\n")[2].partition("\n## ")[0]


def cluster_node_flags():
    """What that page has for /etc/default, by program."""
    found = re.findall(r"^    # /etc/default/(\S+)\n((?:    [A-Z_]+=.*\n)+)", cluster_node_page(), re.MULTILINE)
    return {program: re.sub("^ +", "", lines, flags=re.MULTILINE) for program, lines in found}


def wrong_units():
    """What docs/debian-packages.md has for the units of a cluster's node: variables that stand for flags, files that are there."""
    found = cluster_node_flags()
    if set(found) != {"flanneld", "csi-node"}:
        yield "docs/debian-packages.md does not tell what /etc/default holds for flanneld and csi-node"
    for program, lines in found.items():
        prefix = {"flanneld": "FLANNELD_", "csi-node": "CSI_"}[program]
        flags = flags_of(program) or set()
        for name in re.findall(r"^(\w+)=", lines, re.MULTILINE):
            if not name.startswith(prefix) or name.removeprefix(prefix).lower().replace("_", "-") not in flags:
                yield f"docs/debian-packages.md: {name}: no flag of {program}"
    if "net.holdfast.dev/host-units=true" not in cluster_node_page():
        yield "docs/debian-packages.md does not name the label that keeps DaemonSets off"


def wrong_bounds():
    """What every node's pods may write is another node's as well, but for a policy."""
    for file, document in documents():
        if document["kind"] != "DaemonSet":
            continue
        account, namespace = document["spec"]["template"]["spec"].get("serviceAccountName"), document["metadata"]["namespace"]
        writes = {resource for resource, verb in granted_to(account, namespace) if verb not in ("get", "list", "watch")}
        yield from (f"{file}: no policy bounds what {namespace}/{account} writes of {resource}"
                    for resource in sorted(writes - set(bounded_for(account, namespace))))
        for resource, verb in sorted(granted_to(account, namespace)):
            if verb.startswith("delete"):
                yield f"{file}: {namespace}/{account} may {verb} {resource}"


def main():
    checks = {"containers": wrong_containers, "names": wrong_names, "volumes": wrong_volumes, "accounts": wrong_accounts, "sidecars": wrong_sidecars, "leases": wrong_leases,
              "upstream": wrong_upstream,
              "bounds": wrong_bounds, "units": wrong_units}
    if not any(True for _ in pods()):
        sys.exit("there are no manifests")
    found = list(checks[sys.argv[1]]())
    print("\n".join(found))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
