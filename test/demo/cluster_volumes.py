"""What happens on the storage node of the cluster demo, a guest with a kernel and disks of its own.

    cluster_volumes.py boot ADDRESS GATEWAY KUBECONFIG | write VOLUME | restart VOLUME | mount VOLUME | memory

VOLUME is JSON of what CreateVolume answered. `boot` brings up the network, makes the volume group and starts csi-node;
`write` mounts a volume and prints the checksum of what it wrote; `restart` kills csi-node and mounts the volume again, and
`mount` mounts it: both print the checksum of what they found. `memory` prints the KiB that the driver takes. Exit status 0: it was done.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

import csi_driver
import proto
import storage_node
from storage_node import MIB, run

ROOT = pathlib.Path(__file__).resolve().parents[2]
DRIVERS = ("localplugin.csi.alibabacloud.com", "nasplugin.csi.alibabacloud.com", "diskplugin.csi.alibabacloud.com")
SOCKET = storage_node.KUBELET / "csi-plugins" / DRIVERS[0] / "csi.sock"
PROCESS = pathlib.Path("/run/csi-node.pid")
WORKERS = ("csi-node", "lvmcmd", "nascmd")
START_SECONDS = 60


class Node(storage_node.Node):
    """csi-node, which takes part in the cluster, with all its drivers."""

    def __init__(self):
        super().__init__(ROOT)
        self.csi = csi_driver.Driver(SOCKET, proto.loaded("csi", "/out"))

    def join_network(self, address, gateway):
        run("ip", "address", "add", f"{address}/24", "dev", "vec0")
        run("ip", "link", "set", "vec0", "up")
        run("ip", "route", "add", "default", "via", gateway)

    def start_driver(self):
        (storage_node.KUBELET / "plugins_registry").mkdir(exist_ok=True)
        storage_node.CONFIGURATION.write_text(json.dumps({"lvm": {"udev": False}}))
        SOCKET.unlink(missing_ok=True)
        with open("/out/csi-node.log", "ab") as log:
            process = subprocess.Popen(
                [self._programs / "csi-node", *(f"--profile={name}" for name in DRIVERS), "--node-id", storage_node.NODE,
                 "--config", storage_node.CONFIGURATION, "--instance-id", "i-1", "--zone", "z-1", "--region", "r-1", "--kubeconfig", "/run/kubeconfig"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        PROCESS.write_text(str(process.pid))
        # A call before the socket is there would make gRPC wait for seconds until it tries again.
        deadline = time.monotonic() + START_SECONDS
        while not SOCKET.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("csi-node does not start; see csi-node.log")
            time.sleep(0.01)
        self.csi.wait_until_ready(START_SECONDS)

    def kill_driver(self):
        """And LVM's worker with it, which finds that it has nobody to work for."""
        pid = int(PROCESS.read_text())
        os.kill(pid, 9)
        while pathlib.Path(f"/proc/{pid}/status").exists() and "zombie" not in pathlib.Path(f"/proc/{pid}/status").read_text():
            time.sleep(0.01)

    def found(self, volume):
        return storage_node.checksum(self.target(volume["volumeId"]) / "ledger")


def boot(node, address, gateway, kubeconfig):
    node.join_network(address, gateway)
    shutil.copy(kubeconfig, "/run/kubeconfig")
    node.prepare()
    run("modprobe", "-a", "nfsv3", "nfsv4")
    node.make_groups("/out/node-resource-topo.yaml")
    node.start_driver()


def write(node, volume):
    node.mount(volume["volumeId"])
    path = node.target(volume["volumeId"]) / "ledger"
    storage_node.write_durably(path, os.urandom(8 * MIB))
    print(storage_node.checksum(path))


def restart(node, volume):
    """What a pod that is started again asks for, of a driver that was."""
    before = node.found(volume)
    node.kill_driver()
    node.start_driver()
    name = volume["volumeId"]
    node.csi.call("Node", "NodeUnpublishVolume", {"volumeId": name, "targetPath": str(node.target(name))})
    node.unstage(name)
    node.mount(name)
    if node.found(volume) != before:
        raise RuntimeError(f"{name} held {before}, and holds {node.found(volume)}")
    print(before)


def mount(node, volume):
    node.mount(volume["volumeId"])
    print(node.found(volume))


def memory(_):
    """KiB that the driver's processes take, each page shared by so many counted in so many parts."""
    total = 0
    for name in WORKERS:
        for pid in subprocess.run(["pidof", name], capture_output=True, text=True).stdout.split():
            lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    print(total)


def main():
    verb, *words = sys.argv[1:]
    arguments = [json.loads(words[0])] if verb in ("write", "restart", "mount") else words
    {"boot": boot, "write": write, "restart": restart, "mount": mount, "memory": memory}[verb](Node(), *arguments)


if __name__ == "__main__":
    main()
