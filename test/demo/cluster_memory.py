"""What all programs of a node take together: those of the pod network, the gateway and storage, WireGuard apart."""

import yaml

import storage
from cluster_volumes import DRIVERS

STORAGE = ("csi-node", "lvmcmd", "nascmd")
PROGRAMS = ("flanneld", "egw-helper", "node-resource-manager", *STORAGE)
# Storage programs look at disks, and those of this machine are none of the demo's.
OWN_DEVICES = """
mount -t tmpfs -o mode=755 dev /mnt
for each in null:3 zero:5 full:7 random:8 urandom:9; do mknod -m 666 "/mnt/${each%:*}" c 1 "${each#*:}"; done
mount --move /mnt /dev
mount -t tmpfs lvm /etc/lvm
mkdir -p /run/lvm /run/lock/lvm /etc/lvm/devices /var/lib/kubelet/pods /var/lib/kubelet/plugins_registry
echo '{"lvm": {"udev": false}}' >/run/csi.json
"""
COUNT = """
for each in /proc/[0-9]*; do
  program=$(readlink "$each/exe") || continue
  kib=$(awk '/^Pss:/ { print $2 }' "$each/smaps_rollup") && echo "${program##*/} $kib"
done
"""


def start_storage_programs(node, kubeconfig):
    """csi-node with its three drivers, and the node-resource-manager, as the node's DaemonSets do."""
    node.run("bash", "-ec", OWN_DEVICES)
    with open(node.site.folder / f"{node.name}-storage.log", "ab") as log:
        options = {"stdout": log, "stderr": log}
        node.start(node.programs / "csi-node", *(f"--profile={name}" for name in DRIVERS), f"--node-id={node.name}",
                   "--config=/run/csi.json", "--instance-id=i-3", "--zone=z-1", "--region=r-1", f"--kubeconfig={kubeconfig}",
                   "--metrics-address=127.0.0.1:11260", **options)
        node.start(node.programs / "node-resource-manager", f"--node-id={node.name}", f"--kubeconfig={kubeconfig}",
                   "--metrics-address=127.0.0.1:11262", **options)
    for port in (11260, 11262):
        node.wait_until(lambda port=port: _answers(node, port), f"nobody is ready at port {port}", 60)


def publish_configuration(api):
    """The ConfigMap of the node-resource-manager, which names disks of another node."""
    api.create("/api/v1/namespaces/kube-system/configmaps", yaml.safe_load(storage.CONFIG.read_text()))


def pss_kib(node):
    """By program: a page that several processes share is counted in parts. Source: smaps_rollup, proc(5)."""
    found = {}
    for line in node.run("bash", "-c", COUNT).splitlines():
        program, kib = line.rsplit(" ", 1)
        if program in PROGRAMS:
            found[program] = found.get(program, 0) + int(kib)
    missing = {"flanneld", "egw-helper", "csi-node", "node-resource-manager"} - found.keys()
    if missing:
        raise RuntimeError(f"{node.name} does not run {', '.join(sorted(missing))}")
    return found


def _answers(node, port):
    try:
        node.run("busybox", "wget", "-q", "-O", "-", f"http://127.0.0.1:{port}/readyz")
    except RuntimeError:
        return False
    return True
