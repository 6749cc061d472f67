"""What happens on a node of the share demo, with the server's power on and without.

    share_node.py before|outage|read NODE SOURCE_TREE

NODE 1 makes the volume and its pod writes; the pod of NODE 2 reads. Prints a line for each step,
"name<TAB>seconds<TAB>what came of it", and the lines "made" when /out/volume.json tells the volume, "cut" when the server
may lose its power, "return" when it is to be back.
"""

import hashlib
import json
import os
import pathlib
import subprocess
import sys
import threading
import time

import grpc

import csi_driver
import proto

SOCKET = pathlib.Path("/run/csi-nas/csi.sock")
KUBELET = pathlib.Path("/var/lib/kubelet")
VOLUME = pathlib.Path("/out/volume.json")  # carried to the other node as the API server would
# Asks a server that is silent more often than by default, every few seconds.
CLASS = {"server": "10.9.0.1:/srv/share", "options": "nolock,noresvport,timeo=20,retrans=2"}
USE = {"accessMode": {"mode": "MULTI_NODE_MULTI_WRITER"}, "mount": {}}
NAME = "pvc-menu"
STAGING = KUBELET / "plugins/csi" / NAME / "globalmount"
PATIENCE = 90


def target(pod="till"):
    return KUBELET / "pods" / pod / "volumes" / NAME / "mount"


def tell(name, seconds, outcome):
    print(name, f"{seconds:.3f}", outcome, sep="\t", flush=True)


def timed(name, action):
    started = time.monotonic()
    outcome = action()
    tell(name, time.monotonic() - started, outcome)


def wait_until(holds, what):
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {PATIENCE} s: {what}")
        time.sleep(0.05)


def checksum(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def write_durably(path, text):
    with open(path, "wb") as file:
        file.write(text)
        os.fsync(file.fileno())


class Node:
    def __init__(self, number, tree):
        self.number = number
        self.name = f"shop-{number}"
        self._program = tree / "build/bin/csi-nas"
        self.csi = csi_driver.Driver(SOCKET, proto.loaded("csi", "/out"))

    def start(self):
        for command in (["modprobe", "-a", "nfs", "nfsv3"], ["ip", "link", "set", "vec0", "up"],
                        ["ip", "address", "add", f"10.9.0.1{self.number}/24", "dev", "vec0"]):
            subprocess.run(command, check=True)
        for folder in (KUBELET, SOCKET.parent):
            folder.mkdir(parents=True, exist_ok=True)
        mode = "all" if self.number == 1 else "node"
        log = open("/out/csi-nas.log", "ab")
        subprocess.Popen([self._program, f"--mode={mode}", f"--endpoint=unix://{SOCKET}", f"--node-id={self.name}"],
                         stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(SOCKET.exists, "csi-nas starts")
        self.csi.wait_until_ready(30)

    def create(self):
        made = self.csi.call("Controller", "CreateVolume", {"name": NAME, "parameters": CLASS, "volumeCapabilities": [USE]})
        VOLUME.write_text(json.dumps(made["volume"]))
        return made["volume"]["volumeId"]

    def request(self, **more):
        volume = json.loads(VOLUME.read_text())
        return {"volumeId": volume["volumeId"], "volumeContext": volume["volumeContext"], "volumeCapability": USE,
                "stagingTargetPath": str(STAGING), **more}

    def mount(self):
        for folder in (STAGING, target().parent, target("other").parent):
            folder.mkdir(parents=True, exist_ok=True)
        self.csi.call("Node", "NodeStageVolume", self.request())
        self.csi.call("Node", "NodePublishVolume", self.request(targetPath=str(target())))
        return f"{NAME} is in the pod on {self.name}"

    def is_abnormal(self):
        where = {"volumeId": self.request()["volumeId"], "volumePath": str(target())}
        try:
            stats = self.csi.call("Node", "NodeGetVolumeStats", where)
        except grpc.RpcError as error:
            raise RuntimeError(f"NodeGetVolumeStats: {error.details()}") from error
        return stats["volumeCondition"].get("abnormal", False)


class Writer:
    """A pod that writes and syncs all the time."""

    def __init__(self, path):
        self._path = path
        self._stop = False
        self.count = 0
        self.last = time.monotonic()
        self.longest = 0.0
        self.failed = 0
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def _write(self):
        while not self._stop:
            try:
                write_durably(self._path, b"%d" % (self.count + 1))
            except OSError:
                self.failed += 1
            now = time.monotonic()
            self.count, self.longest, self.last = self.count + 1, max(self.longest, now - self.last), now
            time.sleep(0.05)

    def end(self):
        self._stop = True
        self._thread.join()


def before(node):
    node.start()
    if node.number == 1:
        timed("CreateVolume", node.create)
    wait_until(VOLUME.exists, "the volume is there")
    timed(f"{node.name}: stage and publish", node.mount)
    menu = target() / "menu"
    if node.number == 1:
        write_durably(menu, os.urandom(1 << 20))
        print("made", flush=True)
    timed(f"{node.name}: the file in the pod", lambda: f"sha256 {checksum(menu)}")


def outage(node):
    """Of the node that writes."""
    writer = Writer(target() / "orders")
    wait_until(lambda: writer.count > 3, "the pod writes")
    # As kubelet asks each minute. What was never looked at has no usage to be told beside its condition.
    wait_until(lambda: not node.is_abnormal(), "the volume's usage is known")
    print("cut", flush=True)
    wait_until(node.is_abnormal, "the condition is abnormal")
    tell("the volume's condition is abnormal", time.monotonic() - writer.last, "since the last write")
    timed("another pod wants the volume, Probe", lambda: refused_and_alive(node))
    print("return", flush=True)
    silent = writer.count
    wait_until(lambda: writer.count > silent + 1, "the pod's write goes on")
    tell("the server is back: the pod's write goes on", writer.longest, "that write took so long, and succeeded")
    wait_until(lambda: not node.is_abnormal(), "the condition is normal")
    writer.end()
    (target() / "last").write_text(str(writer.count))
    tell("the pod has written", 0, f"{writer.count} times, {writer.failed} failed")
    if writer.failed:
        raise RuntimeError(f"{writer.failed} writes failed")


def refused_and_alive(node):
    status = node.csi.first_answer("Node", "NodePublishVolume", node.request(targetPath=str(target("other"))))
    return f"{status}, {'ready' if node.csi.call('Identity', 'Probe').get('ready') else 'NOT READY'}"


def read(node):
    """Of the node that reads, when the other is done."""
    last, found = target() / "last", target() / "orders"
    timed(f"{node.name}: the pod reads", lambda: f"order {found.read_text()}, of {last.read_text()}")
    if found.read_text() != last.read_text():
        raise RuntimeError("it is not what was written")


def main():
    node = Node(int(sys.argv[2]), pathlib.Path(sys.argv[3]))
    {"before": before, "outage": outage, "read": read}[sys.argv[1]](node)


if __name__ == "__main__":
    main()
