"""What happens on the node of the storage demo, before its power is cut and after.

    storage_node.py before|after SOURCE_TREE

Prints a line for each step: "name<TAB>seconds<TAB>what came of it". Exit status 0: everything was as it must be.
"""

import hashlib
import json
import os
import pathlib
import subprocess
import sys
import threading
import time

import csi_driver
import proto

NODE = "shop-1"
SOCKET = pathlib.Path("/run/csi-lvm/csi.sock")
KUBELET = pathlib.Path("/var/lib/kubelet")
DISK = pathlib.Path("/data")  # the node's own disk, which holds what a node keeps in /etc and /var
MIB = 1 << 20
PARAMETERS = {"vgName": "shop", "volumeType": "LVM", "lvmType": "linear"}
# For LVM's programs: the disks that are ours, and what the driver tells LVM on a node without udev.
LVM_WORDS = ["--config", "devices/use_devicesfile=1 activation/udev_sync=0 activation/udev_rules=0 "
             "devices/obtain_device_list_from_udev=0 activation/monitoring=0 backup/backup=0",
             "--devicesfile", "holdfast.devices"]
CONFIGURATION = pathlib.Path("/run/csi-lvm.json")
SALES, RESTORED = "pvc-sales", "pvc-sales-restored"


def timed(name, action):
    started = time.monotonic()
    outcome = action()
    print(name, f"{time.monotonic() - started:.3f}", outcome, sep="\t", flush=True)
    return outcome


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr or done.stdout}")
    return done.stdout


def checksum(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def write_durably(path, text):
    with open(path, "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


class Node:
    """The programs of a node, as they are shipped, and what kubelet would ask of them."""

    def __init__(self, tree):
        self._programs = tree / "build/bin"
        self._driver = None
        self.csi = csi_driver.Driver(SOCKET, proto.loaded("csi", "/out"))

    def prepare(self):
        """What is there on a node before anything of ours starts."""
        run("modprobe", "-a", "dm-mod", "dm-thin-pool", "dm-snapshot")
        # Of a guest's 600 devices nearly all are terminals, and LVM looks at each in every command.
        for terminal in pathlib.Path("/dev").glob("[tp]ty[a-z]*"):
            terminal.unlink()
        for folder in (DISK, KUBELET, SOCKET.parent, pathlib.Path("/run/lvm"), pathlib.Path("/run/lock/lvm")):
            folder.mkdir(parents=True, exist_ok=True)
        run("mount", "/dev/ubdc", DISK)
        for name, place in (("lvm-devices", "/etc/lvm/devices"), ("holdfast", "/var/lib/holdfast")):
            (DISK / name).mkdir(exist_ok=True)
            pathlib.Path(place).mkdir(parents=True, exist_ok=True)
            run("mount", "--bind", DISK / name, place)

    def make_groups(self, config):
        run(self._programs / "node-resource-manager", "--once", "--node-id", NODE, "--config-file", config)
        name, disks, size = run("vgs", *LVM_WORDS, "--noheadings", "-o", "vg_name,pv_count,vg_size").split()
        return f"group {name}, {disks} disks, {size}"

    def start_driver(self):
        CONFIGURATION.write_text(json.dumps({"lvm": {"udev": False}}))
        log = open("/out/csi-lvm.log", "ab")
        self._driver = subprocess.Popen(
            [self._programs / "csi-lvm", "--mode", "all", "--endpoint", f"unix://{SOCKET}", "--node-id", NODE,
             "--kubelet-dir", KUBELET, "--config", CONFIGURATION],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )
        # A call before the socket is there would make gRPC wait for seconds until it tries again.
        deadline = time.monotonic() + 30
        while not SOCKET.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        self.csi.wait_until_ready(30)
        return "csi-lvm answers; no API server anywhere"

    def driver_pid(self):
        return self._driver.pid

    def stop_driver(self):
        self._driver.terminate()
        self._driver.wait(timeout=30)

    def volume_request(self, name, size):
        return {
            "name": name, "capacityRange": {"requiredBytes": str(size)}, "parameters": PARAMETERS,
            "volumeCapabilities": [csi_driver.capability("ext4")],
        }

    def create(self, name, size, snapshot=""):
        request = self.volume_request(name, size)
        if snapshot:
            request["volumeContentSource"] = {"snapshot": {"snapshotId": snapshot}}
        volume = self.csi.call("Controller", "CreateVolume", request)["volume"]
        return f"{name}, {int(volume['capacityBytes']) // MIB} MiB"

    def staging(self, name):
        return KUBELET / "plugins/csi" / name / "globalmount"

    def target(self, name):
        return KUBELET / "pods/till/volumes" / name / "mount"

    def stage(self, name):
        """Kubelet makes the folder."""
        self.staging(name).mkdir(parents=True, exist_ok=True)
        self.csi.call("Node", "NodeStageVolume", self._node_request(name))

    def unstage(self, name):
        self.csi.call("Node", "NodeUnstageVolume", {"volumeId": name, "stagingTargetPath": str(self.staging(name))})

    def _node_request(self, name):
        return {
            "volumeId": name, "stagingTargetPath": str(self.staging(name)),
            "volumeCapability": csi_driver.capability("ext4"), "volumeContext": PARAMETERS,
        }

    def mount(self, name):
        """NodeStageVolume and NodePublishVolume; kubelet makes the folder that the target is in."""
        self.stage(name)
        self.target(name).parent.mkdir(parents=True, exist_ok=True)
        self.csi.call("Node", "NodePublishVolume", {**self._node_request(name), "targetPath": str(self.target(name))})
        return f"{name} is in the pod"

    def expand(self, name, size):
        """Online: somebody writes all the time."""
        stop, written = threading.Event(), []

        def write():
            while not stop.is_set():
                write_durably(self.target(name) / "ticks", b"%d" % len(written))
                written.append(1)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            self.csi.call("Controller", "ControllerExpandVolume",
                          {"volumeId": name, "capacityRange": {"requiredBytes": str(size)}})
            self.csi.call("Node", "NodeExpandVolume",
                          {"volumeId": name, "volumePath": str(self.target(name)),
                           "stagingTargetPath": str(self.staging(name))})
        finally:
            stop.set()
            writer.join()
        room = os.statvfs(self.target(name))
        return f"{room.f_blocks * room.f_frsize // MIB} MiB for files; {len(written)} writes went on meanwhile"

    def snapshot(self, name):
        answer = self.csi.call("Controller", "CreateSnapshot", {"name": f"snap-{name}", "sourceVolumeId": name})
        return answer["snapshot"]["snapshotId"]


def before(node):
    node.prepare()
    timed("volume group from a ConfigMap", lambda: node.make_groups("/out/node-resource-topo.yaml"))
    timed("driver starts", node.start_driver)
    timed("CreateVolume", lambda: node.create(SALES, 64 * MIB))
    timed("stage and publish", lambda: node.mount(SALES))
    ledger = node.target(SALES) / "ledger"
    write_durably(ledger, os.urandom(8 * MIB))
    original = checksum(ledger)
    timed("the pod writes 8 MiB", lambda: f"sha256 {original}")
    timed("expand while it writes", lambda: node.expand(SALES, 128 * MIB))
    snapshot = node.snapshot(SALES)
    timed("snapshot", lambda: snapshot)
    write_durably(ledger, b"overwritten by mistake")
    timed("the pod spoils its file", lambda: f"sha256 {checksum(ledger)}")
    timed("restore as a new volume", lambda: node.create(RESTORED, 128 * MIB, snapshot))
    timed("stage and publish", lambda: node.mount(RESTORED))
    restored = checksum(node.target(RESTORED) / "ledger")
    timed("the file is back", lambda: f"sha256 {restored}")
    write_durably(DISK / "expected", f"{original} {checksum(ledger)}".encode())
    if restored != original:
        raise RuntimeError(f"the restored file is {restored}, it was {original}")


def after(node):
    node.prepare()
    timed("volume group from a ConfigMap", lambda: node.make_groups("/out/node-resource-topo.yaml"))
    timed("driver starts", node.start_driver)
    for name in (SALES, RESTORED):
        timed("stage and publish", lambda name=name: node.mount(name))
    original, spoilt = (DISK / "expected").read_text().split()
    found = {name: checksum(node.target(name) / "ledger") for name in (SALES, RESTORED)}
    timed("what is in the pods", lambda: f"{SALES}: {found[SALES]}, {RESTORED}: {found[RESTORED]}")
    if found != {SALES: spoilt, RESTORED: original}:
        raise RuntimeError(f"the files are not what was written: {spoilt} and {original}")


def main():
    node = Node(pathlib.Path(sys.argv[2]))
    {"before": before, "after": after}[sys.argv[1]](node)


if __name__ == "__main__":
    main()
