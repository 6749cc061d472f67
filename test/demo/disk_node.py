"""What happens on a node of the disk demo.

    disk_node.py start|first|more|read|leave NODE SOURCE_TREE

/out/volume.json tells the volume and its attachment, as the API server would. Prints a line for each step,
"name<TAB>seconds<TAB>what came of it". Exit status 0: everything was as it must be.
"""

import hashlib
import json
import os
import pathlib
import subprocess
import sys
import time

import csi_driver
import proto

SOCKET = pathlib.Path("/run/csi-disk/csi.sock")
KUBELET = pathlib.Path("/var/lib/kubelet")
OWN_DISK = pathlib.Path("/data")  # holds what a node keeps in /etc and /var
VOLUME = pathlib.Path("/out/volume.json")
GIB = 1 << 30
START_SECONDS = 30


def timed(name, action):
    started = time.monotonic()
    outcome = action()
    print(name, f"{time.monotonic() - started:.3f}", outcome, sep="\t", flush=True)


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.strip()


def checksum(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def write_durably(path, content):
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


class Node:
    def __init__(self, number, tree):
        self.name = f"shop-{number}"
        self._number = number
        self._program = tree / "build/bin/csi-disk"
        self.csi = csi_driver.Driver(SOCKET, proto.loaded("csi", "/out"))

    def start(self):
        """What a node does at its boot. Neither cloud nor API server is asked."""
        for folder in (OWN_DISK, SOCKET.parent, KUBELET / "pods", KUBELET / "plugins_registry"):
            folder.mkdir(parents=True, exist_ok=True)
        run("mount", "/dev/ubda", OWN_DISK)
        log = open("/out/csi-disk.log", "ab")
        subprocess.Popen([self._program, "--profile=sim", "--mode=node", f"--endpoint=unix://{SOCKET}",
                          f"--node-id={self.name}", f"--instance-id=i-{self._number}", "--zone=sim-1a", "--region=sim-1",
                          f"--state-dir={OWN_DISK}/csi"],
                         stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.csi.wait_until_ready(START_SECONDS)


class Volume:
    def __init__(self):
        self._told = json.loads(VOLUME.read_text())
        name = self._told["volumeId"]
        self._staging = KUBELET / "plugins/csi" / name / "globalmount"
        self.target = KUBELET / "pods/till/volumes" / name / "mount"
        for folder in (self._staging, self.target.parent):
            folder.mkdir(parents=True, exist_ok=True)

    def use(self, node):
        request = {**self._told, "stagingTargetPath": str(self._staging)}
        node.csi.call("Node", "NodeStageVolume", request)
        node.csi.call("Node", "NodePublishVolume", {**request, "targetPath": str(self.target)})
        device, kind = run("findmnt", "--noheadings", "--output", "SOURCE,FSTYPE", self._staging).split()
        gib = os.statvfs(self.target).f_blocks * os.statvfs(self.target).f_frsize / GIB
        return f"{device}, {kind}, {gib:.1f} GiB"

    def leave(self, node):
        which = {"volumeId": self._told["volumeId"]}
        node.csi.call("Node", "NodeUnpublishVolume", {**which, "targetPath": str(self.target)})
        node.csi.call("Node", "NodeUnstageVolume", {**which, "stagingTargetPath": str(self._staging)})
        return "nobody has the disk"


def first(node, volume):
    timed(f"{node.name}: stage and publish", lambda: volume.use(node))
    timed(f"{node.name}: the pod writes", lambda: write_menu(volume.target))


def write_menu(folder):
    write_durably(folder / "menu", os.urandom(1 << 20))
    return f"sha256 {checksum(folder / 'menu')}"


def more(node, volume):
    write_durably(volume.target / "orders", b"42")
    timed(f"{node.name}: the pod writes on, and ends", lambda: volume.leave(node))


def read(node, volume):
    timed(f"{node.name}: stage and publish", lambda: volume.use(node))
    timed(f"{node.name}: the pod reads", lambda: told_by(volume.target))


def told_by(folder):
    orders = folder / "orders"
    return f"sha256 {checksum(folder / 'menu')}, {'orders ' + orders.read_text() if orders.exists() else 'no orders'}"


def leave(node, volume):
    timed(f"{node.name}: the pod ends", lambda: volume.leave(node))


def main():
    phase, node = sys.argv[1], Node(int(sys.argv[2]), pathlib.Path(sys.argv[3]))
    if phase == "start":
        node.start()
    else:
        {"first": first, "more": more, "read": read, "leave": leave}[phase](node, Volume())


if __name__ == "__main__":
    main()
