#!/usr/bin/python3 -B
"""Plugs the disks of disk-sim into the two guests of disk.py, whose hypervisor this is (csi-disk/sim/program_bays.h).

    disk_bays.py list | plug SERIAL IMAGE NODE | unplug SERIAL | resize SERIAL
"""

import json
import pathlib
import sys

import guest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "out/demo/disk"
PLUGGED = WORK / "plugged.json"  # {SERIAL: {"node", "letter", "image"}}: what the hypervisor knows of its machines
LETTERS = "bcdefgh"  # a is the machine's own disk
BAY_SECONDS = 30


def folder_of(node):
    return WORK / f"shop-{node.removeprefix('i-')}"


def plugged():
    return json.loads(PLUGGED.read_text()) if PLUGGED.exists() else {}


def keep(disks):
    part = PLUGGED.with_suffix(".part")
    part.write_text(json.dumps(disks, indent=1))
    part.rename(PLUGGED)


def in_guest(node, *words):
    return guest.run_in(folder_of(node), f"bash {ROOT}/test/demo/scsi_bay.sh {' '.join(words)}", BAY_SECONDS,
                        lambda line: print(line, file=sys.stderr))


def put_in(serial, disk):
    guest.tell_console(folder_of(disk["node"]), f"config ubd{disk['letter']}={disk['image']}")
    if in_guest(disk["node"], "plug", serial, f"/dev/ubd{disk['letter']}") != 0:
        raise RuntimeError(f"{disk['node']} does not take the disk {serial}")


def plug(serial, image, node):
    disks = plugged()
    if serial in disks:
        return 0
    taken = [disk["letter"] for disk in disks.values() if disk["node"] == node]
    disk = {"node": node, "letter": next(each for each in LETTERS if each not in taken), "image": image}
    put_in(serial, disk)
    keep({**disks, serial: disk})
    return 0


def unplug(serial):
    disks = plugged()
    disk = disks.pop(serial, None)
    if disk is None:
        return 0
    status = in_guest(disk["node"], "unplug", serial)
    if status == 0:
        guest.tell_console(folder_of(disk["node"]), f"remove ubd{disk['letter']}")
        keep(disks)
    return status


def resize(serial):
    """A machine's virtual disk does not grow while it is plugged in."""
    print(f"{serial}: detach it first", file=sys.stderr)
    return 1


def list_all():
    for serial, disk in plugged().items():
        print(serial, f"{disk['node']}:/dev/ubd{disk['letter']}")
    return 0


def power_on(node):
    """The machine has booted: it has the disks that it had."""
    for serial, disk in plugged().items():
        if disk["node"] == node:
            put_in(serial, disk)


def main():
    verbs = {"list": list_all, "plug": plug, "unplug": unplug, "resize": resize}
    try:
        return verbs[sys.argv[1]](*sys.argv[2:])
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
