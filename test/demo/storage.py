"""A node's volumes live through a mistake, a power cut, swapped disks and a dead server, without a cloud.

    storage.py

The node is a guest with a kernel and three disks of its own: one holds its /etc and /var, two are blank. A ConfigMap
makes a volume group of these; csi-lvm makes, mounts, grows, snapshots and restores volumes on it. Then the power
goes, the cables of two disks are exchanged, and the node boots again. Then two nodes share a volume of an NFS server
(share.py), and a cloud's disk moves between two nodes (disk.py). Exit status 0: every byte is where it was.
"""

import collections
import pathlib
import shutil
import subprocess
import sys

import guest
import proto
from report import print_table, step

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "out/demo/storage"
CONFIG = pathlib.Path(__file__).with_name("node-resource-topo.yaml")
DISK_BYTES = {"first": 512 << 20, "second": 512 << 20, "system": 128 << 20}
PHASE_SECONDS = 180

Row = collections.namedtuple("Row", "name seconds outcome")


def make_disks(folder, sizes):
    """Sparse files by name; that of the name "system" has a file system."""
    disks = {name: folder / f"{name}.disk" for name in sizes}
    for name, path in disks.items():
        with open(path, "wb") as file:
            file.truncate(sizes[name])
    subprocess.run(["mkfs.ext4", "-q", disks["system"]], check=True)
    return disks


def boot(node, disks):
    seconds = node.boot(disks)
    proto.compile_to(ROOT / "common/csi/proto/csi.proto", node.folder)
    shutil.copy(CONFIG, node.folder)
    return seconds


def run_phase(node, phase):
    """The node's steps as they come; they are printed and returned."""
    rows = []

    def take(line):
        cells = line.split("\t")
        if len(cells) == 3:
            rows.append(Row(*cells))
            print(f"   {cells[0]}: {cells[2]}", flush=True)
        else:
            print(line, file=sys.stderr)

    here = pathlib.Path(__file__).parent
    node.run(f"exec /usr/bin/python3 -B {here}/storage_node.py {phase} {ROOT}", PHASE_SECONDS, take)
    return rows


def show(node, disks):
    step("a node with two blank disks boots")
    rows = [Row("boot", f"{boot(node, [disks['first'], disks['second'], disks['system']]):.3f}", "two blank disks")]
    rows += run_phase(node, "before")
    step("the power is cut, and the two disks are exchanged")
    node.cut_power()
    seconds = boot(node, [disks["second"], disks["first"], disks["system"]])
    rows.append(Row("power cut, disks exchanged, boot", f"{seconds:.3f}", "/dev/ubda is what /dev/ubdb was"))
    rows += run_phase(node, "after")
    print_table(["STEP", "SECONDS", "WHAT CAME OF IT"], [list(row) for row in rows])


def main():
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    node = guest.Guest(WORK / "node", "shop-1")
    try:
        show(node, make_disks(WORK, DISK_BYTES))
    except RuntimeError as error:
        print(f"FAILED: {error}; what the node's programs said is in {node.folder}", file=sys.stderr)
        return 1
    finally:
        node.cut_power()
    print("   every byte is where it was: 0 files lost, 0 volumes formatted again")
    for story in ("share.py", "disk.py"):
        status = subprocess.run([sys.executable, "-B", pathlib.Path(__file__).with_name(story)]).returncode
        if status != 0:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
