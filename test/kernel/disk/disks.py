"""Disks of a guest that come and go, as loop devices with links as udev makes them, and the node's side of csi-disk."""

import os
import pathlib
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "test/demo"))
import csi_driver  # noqa: E402
import proto  # noqa: E402

KUBELET = pathlib.Path("/var/lib/kubelet")
IMAGES = pathlib.Path("/tmp/images")
BY_ID = pathlib.Path("/run/by-id")
SOCKET = "/run/disk/csi.sock"
MIB = 1 << 20


def run(*words, **more):
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True, **more).stdout.strip()


def require(truth, what):
    if not truth:
        raise AssertionError(what)


class Disk:
    """A disk of a cloud: its content lasts, its device does not."""

    def __init__(self, serial, mib=64):
        self.serial = serial
        self.image = IMAGES / f"{serial}.img"
        self.device = None
        IMAGES.mkdir(exist_ok=True)
        with open(self.image, "wb") as file:
            file.truncate(mib * MIB)

    def attach(self, partitions=False):
        self.device = run("losetup", "--find", "--show", *(["--partscan"] if partitions else []), self.image)
        self.link()
        return self

    def link(self):
        BY_ID.mkdir(exist_ok=True)
        link = BY_ID / f"virtio-{self.serial}"
        link.unlink(missing_ok=True)
        link.symlink_to(self.device)

    def detach(self):
        (BY_ID / f"virtio-{self.serial}").unlink()
        run("losetup", "--detach", self.device)
        self.device = None

    def grow(self, mib):
        os.truncate(self.image, mib * MIB)
        run("losetup", "--set-capacity", self.device)


class Volume:
    """A volume of the driver: its requests."""

    def __init__(self, name, serial, content="maybe", fs_type="ext4", **attributes):
        self.name = name
        self.staging = KUBELET / f"plugins/kubernetes.io/csi/disk/{name}/globalmount"
        self.target = KUBELET / f"pods/{name}/volume"
        attachment = {"serialNumber": serial, "csi.fs": content} if serial else {}
        kind = {"block": {}} if fs_type == "block" else {"mount": {"fsType": fs_type}}
        capability = {"accessMode": {"mode": "SINGLE_NODE_WRITER"}, **kind}
        self.request = {"volumeId": name, "stagingTargetPath": str(self.staging), "volumeCapability": capability,
                        "publishContext": attachment, "volumeContext": attributes}
        self.staging.mkdir(parents=True, exist_ok=True)
        self.target.parent.mkdir(parents=True, exist_ok=True)

    @property
    def path(self):
        return {"volumeId": self.name, "volumePath": str(self.target), "stagingTargetPath": str(self.staging)}


NODE_FLAGS = ("--mode=node", "--profile=sim", "--node-id=edge-1", "--zone=z-1", "--region=r-1", "--instance-id=i-1",
              "--attach-limit=40", f"--by-id={BY_ID}")


class Node:
    """A driver as it is shipped, csi-disk."""

    def __init__(self, flags=NODE_FLAGS, program="csi-disk"):
        self._flags = flags
        self._program = ROOT / "build/bin" / program
        self._messages = proto.compiled(ROOT / "common/csi/proto/csi.proto", "/tmp")
        self._process = None
        (KUBELET / "plugins_registry").mkdir(parents=True, exist_ok=True)
        self.start()

    def start(self):
        log = open("/out/driver.log", "ab")
        self._process = subprocess.Popen([self._program, *self._flags, f"--endpoint=unix://{SOCKET}"], stderr=log)
        self.driver = csi_driver.Driver(SOCKET, self._messages)
        self.driver.wait_until_ready(30)

    def kill(self):
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def call(self, method, request):
        return self.driver.call("Node", method, request)

    def answer(self, method, request, **more):
        return self.driver.first_answer("Node", method, request, **more)

    def stage(self, volume):
        self.call("NodeStageVolume", volume.request)

    def publish(self, volume):
        self.call("NodePublishVolume", {**volume.request, "targetPath": str(volume.target)})

    def use(self, volume):
        self.stage(volume)
        self.publish(volume)

    def leave(self, volume):
        """Unpublished and unstaged; each twice, as kubelet may."""
        for _ in range(2):
            self.call("NodeUnpublishVolume", {"volumeId": volume.name, "targetPath": str(volume.target)})
        for _ in range(2):
            self.call("NodeUnstageVolume", {"volumeId": volume.name, "stagingTargetPath": str(volume.staging)})

    def expand(self, volume, mib):
        return self.call("NodeExpandVolume", {**volume.path, "capacityRange": {"requiredBytes": str(mib * MIB)}})


def tell(cases, *subjects):
    """Runs the cases in order, whatever becomes of each; prints TAP. The exit status."""
    failed = 0
    for name, case in cases:
        try:
            case(*subjects)
        except Exception as error:  # a case may fail in any way; the next one is to run all the same
            failed += 1
            told = str(getattr(error, "stderr", None) or error).replace("\n", "\n#   ")
            print(f"not ok {name}\n#   {type(error).__name__}: {told}", flush=True)
        else:
            print(f"ok {name}", flush=True)
    return 1 if failed else 0


def total_mib(path):
    found = os.statvfs(path)
    return found.f_blocks * found.f_frsize / MIB


def milliseconds_of(deed):
    begun = time.monotonic()
    deed()
    return (time.monotonic() - begun) * 1000
