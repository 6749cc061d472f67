"""The cluster of a node whose programs are units, and its administrator: python3 node_admin.py ROOT VERB

ROOT is the node's root file system. certificate: of the API server, made before the node boots; cluster: puts all there that the
manifests have, and the Nodes; files: what docs/debian-packages.md has an administrator copy to the node; told: waits until the
API server has been told what a node tells.
"""

import base64
import json
import pathlib
import sys
import time

import yaml

import manifests
from manifests import TREE

sys.path.insert(0, str(TREE / "test/demo"))
import cluster_api  # noqa: E402

NODE, ADDRESS = "edge-1", "192.168.1.11"
SERVER = "192.168.1.1"
URL = f"https://{SERVER}:6443"
CONFIG_MAPS = "/api/v1/namespaces/kube-flannel/configmaps"
NETWORKS = "/apis/net.holdfast.dev/v1alpha1/nodenetworkconfigurations"
PUBLIC_IP = "flannel.alpha.coreos.com/public-ip"
# What a node that runs flannel's own daemon tells of itself.
PEER = {PUBLIC_IP: "192.168.1.12", "flannel.alpha.coreos.com/kube-subnet-manager": "true",
        "flannel.alpha.coreos.com/backend-type": "vxlan",
        "flannel.alpha.coreos.com/backend-data": '{"VNI":1,"VtepMAC":"66:00:00:00:00:0c"}'}
# Whom the tokens ACCOUNT-token are for, and the file with each.
CREDENTIALS = {"flannel": "etc/holdfast/flannel.kubeconfig", "controller": "test/controller.kubeconfig"}
PATIENCE = 60  # seconds


def make_certificate(root):
    cluster_api.make_certificate(root / "test", SERVER)


def api(root):
    return cluster_api.Api(URL, root / "test/server.crt")


def make_cluster(root):
    server = api(root)
    server.define_kinds()
    for name in ("default", "kube-system", "kube-flannel"):
        server.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    server.create(CONFIG_MAPS, yaml.safe_load((TREE / "manifests/base/flannel/config.yaml").read_text()))
    make_node(server, NODE, ADDRESS, {"labels": {"kubernetes.io/hostname": NODE, "net.holdfast.dev/host-units": "true"}})
    make_node(server, "edge-2", PEER[PUBLIC_IP], {"annotations": PEER})


def make_node(server, name, address, more):
    server.create("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, **more}, "spec": {}})
    server.merge(f"/api/v1/nodes/{name}/status", {"status": {"addresses": [{"type": "InternalIP", "address": address}]}})


def kubeconfig(certificate, token):
    """As kubectl writes it by the page's four commands."""
    authority = base64.b64encode(certificate.read_bytes()).decode()
    return yaml.safe_dump({
        "apiVersion": "v1", "kind": "Config", "preferences": {}, "current-context": "it",
        "clusters": [{"name": "it", "cluster": {"server": URL, "certificate-authority-data": authority}}],
        "users": [{"name": "it", "user": {"token": token}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
    })


def write_files(root):
    server = api(root)
    for account, file in CREDENTIALS.items():
        path = root / file
        path.touch(mode=0o600)
        path.write_text(kubeconfig(root / "test/server.crt", f"{account}-token"))

    flannel = server.get(f"{CONFIG_MAPS}/kube-flannel-cfg")["data"]
    (root / "etc/kube-flannel/net-conf.json").write_text(flannel["net-conf.json"])
    (root / "etc/cni/net.d/10-flannel.conflist").write_text(flannel["cni-conf.json"])
    (root / "test/plugin.json").write_text(json.dumps(for_the_plugin(json.loads(flannel["cni-conf.json"]))))
    flags = manifests.cluster_node_flags()["flanneld"]
    (root / "etc/default/flanneld").write_text(flags.replace("=NODE\n", f"={NODE}\n"))


def for_the_plugin(conflist):
    """What a container runtime makes of a list for the first of its plugins."""
    return {"name": conflist["name"], "cniVersion": conflist["cniVersion"], **conflist["plugins"][0]}


def untold(server):
    """What the API server has not been told yet of the node."""
    node = server.get(f"/api/v1/nodes/{NODE}")
    if node["metadata"].get("annotations", {}).get(PUBLIC_IP) != ADDRESS:
        yield "the Node's annotations"
    network = server.get(f"{NETWORKS}/{NODE}") or {}
    if network.get("spec", {}).get("flannel", {}).get("podCIDRs") != node["spec"].get("podCIDRs"):
        yield "the pod CIDRs in its NodeNetworkConfiguration"
    if not network.get("status", {}).get("conditions"):
        yield "its conditions"


def wait_until_told(untold):
    """Until `untold` yields nothing any more."""
    end = time.monotonic() + PATIENCE
    while missing := list(untold()):
        if time.monotonic() > end:
            sys.exit(f"the API server was not told: {', '.join(missing)}")
        time.sleep(0.2)


def main():
    root, verb = sys.argv[1:]
    verbs = {"certificate": make_certificate, "cluster": make_cluster, "files": write_files, "told": lambda root: wait_until_told(lambda: untold(api(root)))}
    verbs[verb](pathlib.Path(root))


if __name__ == "__main__":
    main()
