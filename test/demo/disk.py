"""A cloud's disk moves between two nodes, and is there when a node boots while the cloud is away.

    disk.py

The nodes are guests, each with a kernel of its own; the cloud is disk-sim, which plugs its disks into them as a hypervisor
does (disk_bays.py). csi-disk makes, attaches, grows, snapshots and deletes the disks, and mounts them on the nodes. Exit
status 0: every byte was where it had to be, and nothing is left in the cloud.
"""

import concurrent.futures
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import csi_driver
import disk_bays
import guest
import namespaces
import proto
from report import print_table, step
from storage import PHASE_SECONDS, Row, make_disks

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARIES = ROOT / "build/bin"
WORK = disk_bays.WORK
GIB = 1 << 30
PORT = 8080
USE = {"accessMode": {"mode": "SINGLE_NODE_WRITER"}, "mount": {"fsType": "ext4"}}
CLASS = {"type": "cloud_essd", "performanceLevel": "PL0"}  # sold from 1 GiB on
NODES = (1, 2)


class Cloud:
    """disk-sim, and the controller of csi-disk that calls it."""

    def __init__(self, socket):
        self._socket = socket
        self._programs = []
        account = {"AccessKeyId": "sim-id", "AccessKeySecret": "sim-secret"}
        (WORK / "account.json").write_text(json.dumps(account))
        self.csi = csi_driver.Driver(socket, proto.compiled(ROOT / "common/csi/proto/csi.proto", WORK))

    def start(self):
        self._run("disk-sim", f"--port={PORT}", f"--state={WORK}/disks.state", f"--devices={WORK}/devices",
                  f"--as={disk_bays.__file__}", "--nodes=" + ",".join(f"i-{number}@sim-1a" for number in NODES))
        self._run("csi-disk", "--profile=sim", "--mode=controller", f"--endpoint=unix://{self._socket}", "--cluster-id=demo",
                  "--cloud-region=sim-1", f"--cloud-endpoint=http://127.0.0.1:{PORT}",
                  f"--cloud-credentials={WORK}/account.json", f"--state-dir={WORK}/state")
        self.csi.wait_until_ready(PHASE_SECONDS)

    def _run(self, program, *flags):
        log = open(WORK / f"{program}.log", "ab")
        self._programs.append(subprocess.Popen([BINARIES / program, *flags], stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    def kill(self):
        for program in self._programs:
            program.kill()
            program.wait()
        self._programs.clear()

    def call(self, method, request):
        return self.csi.call("Controller", method, request)


class Site:
    def __init__(self, cloud):
        self.cloud = cloud
        self.rows = []
        self._own_disks = [make_disks(WORK / f"own-{number}", {"system": 64 << 20})["system"] for number in NODES]
        self._nodes = [guest.Guest(disk_bays.folder_of(f"i-{number}"), f"shop-{number}") for number in NODES]
        # Its threads live as long as it does: a guest ends with the thread that started it.
        self._together = concurrent.futures.ThreadPoolExecutor()

    def note(self, *cells):
        self.rows.append(Row(*cells))
        print(f"   {cells[0]}: {cells[2]}", flush=True)

    def timed(self, name, action):
        started = time.monotonic()
        outcome = action()
        self.note(name, f"{time.monotonic() - started:.3f}", outcome)

    def boot(self, *numbers):
        def boot_one(number):
            node = self._nodes[number - 1]
            seconds = node.boot([self._own_disks[number - 1]])
            proto.compile_to(ROOT / "common/csi/proto/csi.proto", node.folder)
            disk_bays.power_on(f"i-{number}")
            self._run("start", number)
            return seconds

        return max(each.result() for each in [self._together.submit(boot_one, number) for number in numbers])

    def cut_power(self, number):
        self._nodes[number - 1].cut_power()

    def end(self):
        for number in NODES:
            self.cut_power(number)
        self.cloud.kill()

    def _run(self, phase, number):
        """What the steps of the phase came to, in one text."""
        here, told = pathlib.Path(__file__).parent, []

        def take(line):
            cells = line.split("\t")
            if len(cells) == 3:
                self.note(*cells)
                told.append(cells[2])
            else:
                print(line, file=sys.stderr)

        self._nodes[number - 1].run(f"exec /usr/bin/python3 -B {here}/disk_node.py {phase} {number} {ROOT}", PHASE_SECONDS,
                                    take)
        return "; ".join(told)

    def run_phase(self, phase, number, volume=None):
        if volume is not None:
            (disk_bays.folder_of(f"i-{number}") / "volume.json").write_text(json.dumps(volume))
        return self._run(phase, number)

    def create(self, name, gib, **more):
        made = self.cloud.call("CreateVolume", {"name": name, "capacityRange": {"requiredBytes": str(gib * GIB)},
                                                "volumeCapabilities": [USE], "parameters": CLASS, **more})
        return made["volume"]["volumeId"]

    def attach(self, volume, number):
        """What the node is told of the volume."""
        where = {"volumeId": volume, "nodeId": f"i-{number}", "volumeCapability": USE}
        context = self.cloud.call("ControllerPublishVolume", where)["publishContext"]
        return {"volumeId": volume, "publishContext": context, "volumeCapability": USE}

    def detach(self, volume, number):
        self.cloud.call("ControllerUnpublishVolume", {"volumeId": volume, "nodeId": f"i-{number}"})
        return "the disk is free"


def require_same(wanted, found, what):
    """Both texts tell a checksum."""
    sums = [re.search("sha256 [0-9a-f]{12}", text)[0] for text in (wanted, found)]
    if sums[0] != sums[1]:
        raise RuntimeError(f"{what} has other bytes: {sums[1]}, not {sums[0]}")


class Story:
    def __init__(self, site):
        self._site = site
        self._cloud = site.cloud
        self._volume = None
        self._attached = None
        self._snapshot = None
        self._written = None

    def provision(self):
        site = self._site
        site.timed("CreateVolume", self._create)
        site.timed("attach to shop-1", lambda: self._attach(1))
        self._written = site.run_phase("first", 1, self._attached)
        site.timed("CreateSnapshot", self._cut)
        site.timed("shop-2 wants it, too", self._refuse_second)

    def _create(self):
        self._volume = self._site.create("pvc-menu", 1)
        return f"{self._volume}, 1 GiB"

    def _attach(self, number):
        self._attached = self._site.attach(self._volume, number)
        return f"serial number {self._attached['publishContext']['serialNumber']}"

    def _cut(self):
        wanted = {"name": "noon", "sourceVolumeId": self._volume}
        self._snapshot = self._cloud.call("CreateSnapshot", wanted)["snapshot"]["snapshotId"]
        return self._snapshot

    def _refuse_second(self):
        status = self._cloud.csi.first_answer("Controller", "ControllerPublishVolume",
                                              {"volumeId": self._volume, "nodeId": "i-2", "volumeCapability": USE})
        if status != "FAILED_PRECONDITION":
            raise RuntimeError(f"a disk that shop-1 has was given to shop-2: {status}")
        return status

    def move(self):
        site = self._site
        site.run_phase("more", 1)
        site.timed("detach from shop-1", lambda: site.detach(self._volume, 1))
        site.timed("ControllerExpandVolume", self._grow)
        site.timed("attach to shop-2", lambda: self._attach(2))
        found = site.run_phase("read", 2, self._attached)
        require_same(self._written, found, "shop-2")
        if "1.9 GiB" not in found or "orders 42" not in found:
            raise RuntimeError("the file system has not grown, or lost what was written last")

    def _grow(self):
        wanted = {"volumeId": self._volume, "capacityRange": {"requiredBytes": str(2 * GIB)}}
        grown = self._cloud.call("ControllerExpandVolume", wanted)
        return f"{int(grown['capacityBytes']) // GIB} GiB"

    def restore(self):
        site = self._site
        source = {"snapshot": {"snapshotId": self._snapshot}}
        copy = site.create("pvc-menu-at-noon", 1, volumeContentSource=source)
        found = site.run_phase("read", 1, site.attach(copy, 1))
        require_same(self._written, found, "the volume of the snapshot")
        if "no orders" not in found:
            raise RuntimeError("the volume of the snapshot has what came later")
        site.run_phase("leave", 1)
        site.detach(copy, 1)
        self._cloud.call("DeleteVolume", {"volumeId": copy})

    def reboot_offline(self):
        site = self._site
        site.cut_power(2)
        self._cloud.kill()
        site.note("shop-2 boots", f"{site.boot(2):.3f}", "the cloud is away")
        require_same(self._written, site.run_phase("read", 2, self._attached), "shop-2 after its boot")

    def delete_all(self):
        site = self._site
        self._cloud.start()
        site.run_phase("leave", 2)
        site.timed("the cloud is back: detach from shop-2", lambda: site.detach(self._volume, 2))
        site.timed("DeleteVolume, DeleteSnapshot", self._delete)

    def _delete(self):
        self._cloud.call("DeleteVolume", {"volumeId": self._volume})
        self._cloud.call("DeleteSnapshot", {"snapshotId": self._snapshot})
        left = len(self._cloud.call("ListVolumes", {}).get("entries", [])) + len(disk_bays.plugged())
        if left:
            raise RuntimeError(f"{left} disks are left")
        return "0 disks are left"


def show(site):
    step("a cloud with two nodes: a disk is made, and moves from one to the other")
    site.cloud.start()
    site.note("boot", f"{site.boot(*NODES):.3f}", "two nodes without disks of volumes")
    story = Story(site)
    story.provision()
    story.move()
    step("a volume of the snapshot, on the other node")
    story.restore()
    step("shop-2 loses its power while it has the disk, and the cloud goes away")
    story.reboot_offline()
    story.delete_all()
    print_table(["STEP", "SECONDS", "WHAT CAME OF IT"], [list(row) for row in site.rows])


def main():
    namespaces.enter(__file__)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    shutil.rmtree(WORK, ignore_errors=True)
    for folder in (WORK / "devices", *(WORK / f"own-{number}" for number in NODES)):
        folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as sockets:
        site = Site(Cloud(pathlib.Path(sockets) / "csi.sock"))
        try:
            show(site)
        except RuntimeError as error:
            print(f"FAILED: {error}; what the programs said is in {WORK}", file=sys.stderr)
            return 1
        finally:
            site.end()
    print("   a disk is where its pod is: 0 bytes lost, 0 disks left")
    return 0


if __name__ == "__main__":
    sys.exit(main())
