#!/usr/bin/python3
"""csi-lvm with a thin pool of an administrator's that has little room for metadata. Prints TAP.

It grows while its group has room. Without room, nothing more is made in it, what is there goes on, and its condition tells why.
"""

import fcntl
import struct
import sys
import time

from disks import MIB, require, run, tell
from groups import LvmNode, image, lvm, make_groups, write

METADATA = 2 * MIB
GROWS_AT, REFUSES_AT = 65, 80  # percent
TENDING_SECONDS = 40  # every ten it is looked after
POOL = {"vgName": "pools", "thinPool": "pool"}
DEVICE = "pools-pool-tpool"
FIRST_ID = 1_000_000  # LVM counts its volumes from 1 on
AT_ONCE = 10
DM_IOCTL = struct.Struct("=3I3Ii3IQ128s129s7x")
DM_TARGET_MSG = 0xC138FD0E


class Scene(LvmNode):
    def __init__(self):
        device = run("losetup", "--find", "--show", image("pools", 160))
        make_groups(pools=("1M", device))
        lvm("lvcreate", "--yes", "--type", "thin-pool", "--zero", "y", "--size", "64M", "--poolmetadatasize", f"{METADATA}b",
            "--name", "pool", "pools")
        super().__init__()
        self.volume = None
        self._last_id = FIRST_ID

    def fill_metadata(self, percent):
        """By volumes that LVM knows nothing of: each takes a block of metadata, and none of data."""
        while metadata_percent() < percent:
            for _ in range(AT_ONCE):
                self._last_id += 1
                tell_device(DEVICE, f"create_thin {self._last_id}")

    def answers_of_growth(self):
        """Of calls that take metadata of the pool."""
        self.names()  # what is known of the pool is of now
        calls = (("CreateVolume", self.creation("late", **POOL)),
                 ("CreateSnapshot", {"name": "cut", "sourceVolumeId": "kept"}),
                 ("ControllerExpandVolume", {"volumeId": "kept", "capacityRange": {"requiredBytes": str(48 * MIB)}}))
        return [self.answer(method, request) for method, request in calls]


def tell_device(name, text):
    """As `dmsetup message NAME 0 TEXT`, without a program for each. Source: linux/dm-ioctl.h, struct dm_ioctl, dm_target_msg."""
    message = struct.pack("=Q", 0) + text.encode() + b"\0"
    fields = (4, 0, 0, DM_IOCTL.size + len(message), DM_IOCTL.size, 0, 0, 0, 0, 0, 0, name.encode(), b"")
    with open("/dev/mapper/control", "rb+", buffering=0) as control:
        fcntl.ioctl(control, DM_TARGET_MSG, bytearray(DM_IOCTL.pack(*fields) + message))


def metadata_percent():
    """Source: the kernel's Documentation/admin-guide/device-mapper/thin-provisioning.rst, "Status"."""
    used, total = run("dmsetup", "status", DEVICE).split()[4].split("/")
    return int(used) / int(total) * 100


def metadata_bytes():
    return int(lvm("lvs", "--noheadings", "--units", "b", "--nosuffix", "--options", "lv_metadata_size", "pools/pool"))


def grows_beyond(size):
    deadline = time.monotonic() + TENDING_SECONDS
    while metadata_bytes() <= size:
        require(time.monotonic() < deadline, f"its metadata has {size} bytes still, {metadata_percent():.0f} % in use")
        time.sleep(0.5)


def metadata_grows(scene):
    scene.volume = scene.create("kept", mib=32, **POOL)
    scene.node.use(scene.volume)
    write(scene.volume.target / "data", "kept")
    scene.fill_metadata(GROWS_AT)
    grows_beyond(METADATA)
    require(metadata_percent() < GROWS_AT, f"{metadata_percent():.0f} % are in use still")
    require(not scene.condition(scene.volume)[0], scene.condition(scene.volume))


def nothing_is_made_above_the_watermark(scene):
    lvm("lvcreate", "--yes", "--extents", "100%FREE", "--name", "filler", "pools")
    scene.fill_metadata(REFUSES_AT)
    answers = scene.answers_of_growth()
    require(answers == ["RESOURCE_EXHAUSTED"] * 3, answers)
    require(lvm("lvs", "--noheadings", "--options", "lv_name", "pools").split() == ["filler", "kept", "pool"], "one was made")


def what_is_there_goes_on(scene):
    write(scene.volume.target / "more", "x" * MIB)
    scene.node.leave(scene.volume)
    scene.node.use(scene.volume)
    require((scene.volume.target / "data").read_text() == "kept", "the data is gone")


def its_condition_tells(scene):
    abnormal, message = scene.condition(scene.volume)
    require(abnormal and "of its metadata in use" in message and "nearly full" in message, message)
    told = scene.driver.call("Controller", "ControllerGetVolume", {"volumeId": "kept"})["status"]["volumeCondition"]
    require(told.get("abnormal") and "of its metadata in use" in told["message"], told)


def with_room_it_grows_again(scene):
    before = metadata_bytes()
    lvm("lvremove", "--yes", "pools/filler")
    grows_beyond(before)
    require(scene.answers_of_growth() == ["OK"] * 3, "it takes nothing")
    require(not scene.condition(scene.volume)[0], scene.condition(scene.volume))
    scene.node.leave(scene.volume)
    scene.driver.call("Controller", "DeleteSnapshot", {"snapshotId": "cut"})
    for name in ("kept", "late"):
        scene.delete(name)
    require(scene.names() == [], scene.names())


CASES = (
    ("the metadata of a pool grow before they are full", metadata_grows),
    ("with no room to grow, nothing is made above the watermark", nothing_is_made_above_the_watermark),
    ("what is there goes on", what_is_there_goes_on),
    ("and its condition tells why", its_condition_tells),
    ("with room the pool grows, and takes volumes again", with_room_it_grows_again),
)

if __name__ == "__main__":
    sys.exit(tell(CASES, Scene()))
