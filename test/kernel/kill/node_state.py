"""What a node's volumes, devices, mounts and folders are, in a form that is equal after equal calls."""

import fcntl
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess

import worker

KUBELET = pathlib.Path("/var/lib/kubelet")
# LVM looks through all that it has archived in each command.
ARCHIVE = pathlib.Path("/var/lib/holdfast/csi/localplugin.csi.alibabacloud.com/archive")
LVM = ("--devicesfile", "holdfast.devices", "--config",
       "activation/udev_sync=0 devices/obtain_device_list_from_udev=0 devices/use_devicesfile=1")
DM_LIST_DEVICES, DM_HEADER = 0xC138FD02, 312
# What differs from one life to the next: the uuid that mkfs has drawn, and when a snapshot was taken.
DRAWN = re.compile(r"(?<=formatted:)[^,\s]*|(?<=csi\.taken=)\d+")


def mapped_names():
    """Of all devices of device-mapper: sysfs does not show one that was never given a table. Source: linux/dm-ioctl.h."""
    request = bytearray(1 << 16)
    struct.pack_into("=5I", request, 0, 4, 0, 0, len(request), DM_HEADER)
    with open("/dev/mapper/control", "rb") as control:
        fcntl.ioctl(control, DM_LIST_DEVICES, request)
    names, place = [], DM_HEADER
    while True:
        step = struct.unpack_from("=QI", request, place)[1]
        names.append(request[place + 12:request.index(0, place + 12)].decode())
        place += step
        if step == 0:
            return [name for name in names if name]


def devices():
    """name, size in sectors and whether writes to it are held up, of each device of device-mapper."""
    found = []
    shown = {(device / "dm/name").read_text().strip() for device in pathlib.Path("/sys/block").glob("dm-*")}
    found += [f"{name} without a table" for name in mapped_names() if name not in shown]
    for device in pathlib.Path("/sys/block").glob("dm-*"):
        name, size, held = (
            (device / part).read_text().strip() for part in ("dm/name", "size", "dm/suspended"))
        found.append(f"{name} {size} {'suspended' if held == '1' else 'in use'}")
    return sorted(found)


def mounts():
    """root, place, options and type of each mount below kubelet's folder."""
    found = []
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        words = line.split(" ")
        if words[4].startswith(str(KUBELET)):
            found.append(" ".join((words[3], words[4], words[5], words[words.index("-") + 1])))
    return sorted(found)


def folders():
    """What is below kubelet's folder, but for what is mounted there."""
    found = []
    for place, inner, files in os.walk(KUBELET):
        inner[:] = [name for name in inner if not os.path.ismount(os.path.join(place, name))]
        found += [os.path.join(place, name) for name in files if not name.endswith(".sock")] + [place]
    return sorted(found)


def thin_archive():
    """Metadata of lives that are over."""
    for file in ARCHIVE.glob("*.vg"):
        file.unlink()


class Node:
    """`lvmcmd` is the path of that program."""

    def __init__(self, lvmcmd):
        self._worker = worker.Worker(lvmcmd)

    def volumes(self):
        """A line for each logical volume, hidden ones too."""
        return self._rows("lvs", "lv", "--all --units b -o lv_name,lv_size,lv_tags,lv_attr")

    def _rows(self, verb, table, words):
        report = self._worker.report(verb, words + " --reportformat json")
        # LVM may talk in between: of disks that the killed command has not written to.
        lines = (line for line in report.splitlines() if line.strip()[:1] in tuple('{}[],"'))
        rows = json.loads("".join(lines))["report"][0][table]
        return sorted(DRAWN.sub("*", " ".join(row.values())) for row in rows)

    def state(self):
        return {"volumes": self.volumes(), "groups": self._rows("vgs", "vg", "-o vg_name,vg_tags"), "devices": devices(), "mounts": mounts(), "folders": folders()}

    def remove_pool(self, name):
        """Where there is one, which the next life makes anew. Volumes in it are amiss, and go too."""
        if any(line.startswith(name + " ") for line in self.volumes()):
            subprocess.run(["lvremove", *LVM, "--yes", "--force", "suite/" + name], check=False, capture_output=True)

    def clear(self):
        """Takes everything away, for the next life; what is amiss was told before."""
        for line in reversed(mounts()):
            subprocess.run(["umount", line.split(" ")[1]], check=False)
        for device in pathlib.Path("/sys/block").glob("dm-*"):
            subprocess.run(["dmsetup", "resume", (device / "dm/name").read_text().strip()], check=False)
        for line in self.volumes():
            subprocess.run(["lvremove", *LVM, "--yes", "--force", "suite/" + line.split(" ")[0]], check=False)
        # One may stand on another.
        for line in 2 * devices():
            subprocess.run(["dmsetup", "remove", "--force", line.split(" ")[0]], check=False)
        for folder in ("plugins/csi", "pods"):
            shutil.rmtree(KUBELET / folder, ignore_errors=True)
