"""The cluster of a node whose volumes are served by units, and its administrator: python3 volumes_admin.py ROOT VERB

ROOT is the node's root file system. cluster: puts all there that the manifests have, and the Nodes; files: what
docs/debian-packages.md has an administrator copy to the node; told: waits until the cluster knows what the node can give;
bounded: the node's token is refused what is another node's; volume: makes one on the node, as the provisioner asks for it.
"""

import json
import pathlib
import re
import sys

import yaml

import manifests
import node_admin
from manifests import TREE
from node_admin import ADDRESS, NODE, URL

sys.path.insert(0, str(TREE / "test/demo"))
import cluster_api  # noqa: E402
import csi_driver  # noqa: E402
import proto  # noqa: E402

MANIFESTS = TREE / "manifests/base"
CONFIG_MAPS = "/api/v1/namespaces/kube-system/configmaps"
STORAGES = "/apis/storage.holdfast.dev/v1alpha1/nodestorages"
CAPACITIES = "/apis/storage.k8s.io/v1/namespaces/kube-system/csistoragecapacities"
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
CLASS = "csi-local-lvm"
TOPOLOGY = {"kubernetes.io/hostname": NODE}
# Whom the tokens ACCOUNT-token are for, and the file with each.
CREDENTIALS = {"csi-node": "etc/holdfast/csi-node.kubeconfig", "controller": "test/controller.kubeconfig"}
GROUP = """
volumegroup:
- name: volumegroup1
  key: kubernetes.io/hostname
  operator: In
  value: edge-1
  topology: {type: device, devices: [/dev/ubda, /dev/ubdb]}
"""
MIB = 1 << 20


def manifest(path):
    return yaml.safe_load((MANIFESTS / path).read_text())


def make_cluster(root):
    server = node_admin.api(root)
    server.define_kinds()
    for name in ("default", "kube-system"):
        server.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    disks = manifest("node-resource-manager/config.yaml")
    disks["data"]["volumegroup"] = GROUP
    for config in (disks, manifest("csi-nas/config.yaml")):
        server.create(CONFIG_MAPS, config)
    server.create(CLASSES, manifest("csi-lvm/storageclass.yaml"))
    for name, address in ((NODE, ADDRESS), ("edge-2", "192.168.1.12")):
        node_admin.make_node(server, name, address, {"labels": {"kubernetes.io/hostname": name}})


def write_files(root):
    server = node_admin.api(root)
    for account, file in CREDENTIALS.items():
        path = root / file
        path.touch(mode=0o600)
        path.write_text(node_admin.kubeconfig(root / "test/server.crt", f"{account}-token"))

    (root / "etc/holdfast/node-resource-topo.yaml").write_text(yaml.safe_dump(server.get(f"{CONFIG_MAPS}/node-resource-topo")))
    drivers = json.loads((root / "usr/share/doc/holdfast-csi/examples/csi-node.json").read_text())
    shared = json.loads(server.get(f"{CONFIG_MAPS}/csi-nas")["data"]["csi.json"])["profiles"]
    keys = {profile["driverName"]: profile["topologyKeys"] for profile in shared}
    for profile in drivers["profiles"]:
        if profile["driverName"] in keys:
            profile["topologyKeys"] = keys[profile["driverName"]]
    (root / "etc/holdfast/csi-node.json").write_text(json.dumps(drivers))
    flags = manifests.cluster_node_flags()["csi-node"]
    (root / "etc/default/csi-node").write_text(flags.replace("=NODE\n", f"={NODE}\n"))


def untold(server):
    """What the cluster has not been told yet of the node."""
    storage = server.get(f"{STORAGES}/{NODE}") or {}
    groups = storage.get("status", {}).get("groups", [])
    if [group["name"] for group in groups] != ["volumegroup1"] or storage["spec"]["topology"] != TOPOLOGY:
        yield "its NodeStorage"
    capacities = [each for each in server.items(CAPACITIES) if each["storageClassName"] == CLASS and each["nodeTopology"] == {"matchLabels": TOPOLOGY}]
    if len(capacities) != 1 or int(re.match("[0-9]+", capacities[0].get("capacity", "0"))[0]) == 0:
        yield "the scheduler's CSIStorageCapacity"


def wait_until_told(root):
    server = node_admin.api(root)
    node_admin.wait_until_told(lambda: untold(server))


def refuse_another(root):
    """Where nothing was refused, nothing was shown of the token that the node has."""
    node = cluster_api.Api(URL, root / "test/server.crt", "csi-node-token")
    another = {"apiVersion": "storage.holdfast.dev/v1alpha1", "kind": "NodeStorage", "metadata": {"name": "edge-2"},
               "spec": {"topology": {"kubernetes.io/hostname": "edge-2"}}}
    try:
        node.create(STORAGES, another)
    except RuntimeError as error:
        if "a node writes the objects of its own node only" in str(error):
            return
        raise
    sys.exit("the node's token is good for another node's object")


def make_volume(root):
    driver = csi_driver.Driver(root / "test/csi.sock", proto.compiled(TREE / "common/csi/proto/csi.proto", root / "test"))
    driver.wait_until_ready(node_admin.PATIENCE)
    topology = {"segments": TOPOLOGY}
    made = driver.call("Controller", "CreateVolume", {
        "name": "pvc-till", "capacityRange": {"requiredBytes": str(64 * MIB)}, "volumeCapabilities": [csi_driver.capability("ext4")],
        "parameters": manifest("csi-lvm/storageclass.yaml")["parameters"],
        "accessibilityRequirements": {"requisite": [topology], "preferred": [topology]}})["volume"]
    (root / "test/volume.json").write_text(json.dumps(made))


def main():
    root, verb = sys.argv[1:]
    verbs = {"cluster": make_cluster, "files": write_files, "told": wait_until_told, "bounded": refuse_another, "volume": make_volume}
    verbs[verb](pathlib.Path(root))


if __name__ == "__main__":
    main()
