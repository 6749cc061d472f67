#!/usr/bin/python3
"""csi-lvm with two groups, on a disk that ails and on one that does not. Prints TAP.

What cannot be read is never formatted; every call is answered, in time and so that it is made again; the other group's volumes
live on; and when the disk is whole again so is the driver.
"""

import os
import pathlib
import subprocess
import sys
import threading
import time

from disks import MIB, Volume, require, run, tell
from groups import SECONDS, LvmNode, image, lvm, make_groups, write
from mapped_disk import MappedDisk

VOLUME_BYTES = 16 * MIB
# Where a backup of a file system's superblock may be, which is looked for before one is made.
PROOF_PLACE = 4 * MIB
SMALL = 64 << 10
AGAIN = ("ABORTED", "UNAVAILABLE")
GIVEN_UP = "DEADLINE_EXCEEDED"
CALLERS_PATIENCE = 8  # seconds
GIVES_UP_SECONDS = 30


class Scene(LvmNode):
    def __init__(self):
        self.ill = MappedDisk("sick", image("sick", 160))
        well = run("losetup", "--find", "--show", image("well", 96))
        make_groups(ill=("4M", self.ill.device), well=("4M", well))
        super().__init__()
        self.first = None

    def made(self, name, group="ill"):
        return self.create(name, vgName=group)


def place_of(name):
    """Where on its disk a volume begins, in bytes. Its table is "0 LENGTH linear DISK FIRST_SECTOR"."""
    return int(run("dmsetup", "table", f"ill-{name}").split()[4]) * 512


def volumes_of_lvm():
    return lvm("lvs", "--noheadings", "--options", "lv_name").split()


def is_whole(answers):
    require(all(answer == "OK" for _, answer in answers), answers)


def takes_nothing(file):
    try:
        write(file, "x" * MIB)
    except OSError:
        return
    raise AssertionError("a broken disk took what was written")


def gives_up(volume):
    """A file system does, and counts it, at the first write after its journal could not be written."""
    errors = pathlib.Path(f"/sys/fs/ext4/dm-{os.minor(os.stat(f'/dev/mapper/ill-{volume.name}').st_rdev)}/errors_count")
    deadline = time.monotonic() + GIVES_UP_SECONDS
    while errors.read_text().strip() == "0":
        require(time.monotonic() < deadline, "the file system goes on")
        takes_nothing(volume.target / "lost")
        time.sleep(0.5)


def is_told_unread(scene, volume, offset):
    words = scene.driver.first_words("Node", "NodeStageVolume", volume.request, SECONDS)
    require(words.startswith("UNAVAILABLE: ") and f"cannot be read at byte {offset} " in words, words)


def what_was_not_read_is_not_formatted(scene):
    scene.first = scene.made("first")
    place = place_of("first")
    before = scene.ill.content(place, VOLUME_BYTES)
    scene.ill.breaks(place + PROOF_PLACE, SMALL)
    is_told_unread(scene, scene.first, PROOF_PLACE)
    require(scene.ill.content(place, VOLUME_BYTES) == before, "it was written to")
    require("csi.fs=new" in lvm("lvs", "--noheadings", "--options", "lv_tags", "ill/first"), "it is new no more")
    scene.ill.heal()
    scene.node.use(scene.first)
    write(scene.first.target / "data", "kept")


def extents_that_are_broken_make_no_volume(scene):
    end = place_of("first") + VOLUME_BYTES
    for name, offset in (("second", PROOF_PLACE), ("third", 0)):
        scene.ill.breaks(end + offset, SMALL)
        answer = scene.answer("CreateVolume", scene.creation(name, vgName="ill"))
        require(answer in (*AGAIN, "INTERNAL"), f"{name}: {answer}")
        require(answer in AGAIN or name not in volumes_of_lvm(), f"{name} is left, and nobody asks again")
        require(name not in scene.names(), f"{name} is told to be there")
        scene.ill.heal()
        scene.made(name)
        require(place_of(name) == end, "it is not where the disk was broken")
        end += VOLUME_BYTES


def a_format_that_failed_is_made_again(scene):
    third = Volume("third", "")
    scene.ill.takes_no_writes(place_of("third"), VOLUME_BYTES)
    answer = scene.answer("NodeStageVolume", third.request)
    require(answer not in ("OK", GIVEN_UP), answer)
    scene.ill.heal()
    scene.node.use(third)
    scene.node.leave(third)


def a_disk_that_breaks_in_use_is_told(scene):
    first = scene.first
    scene.ill.breaks(place_of("first"), VOLUME_BYTES)
    takes_nothing(first.target / "lost")
    gives_up(first)
    scene.node.kill()  # who is started looks at once, and else once a minute
    scene.node.start()
    abnormal, message = scene.condition(first)
    require(abnormal and "has met" in message, message)
    scene.node.leave(first)
    is_told_unread(scene, first, 0)
    scene.ill.heal()
    scene.node.use(first)
    require((first.target / "data").read_text() == "kept", "the data is gone")
    require(not scene.condition(first)[0], scene.condition(first))


def a_group_that_is_not_read_is_not_gone(scene):
    scene.ill.breaks(0, MIB)
    words = scene.driver.first_words("Controller", "DeleteVolume", {"volumeId": "second"}, SECONDS)
    require(words.startswith("UNAVAILABLE: ") and "that is not found: " in words, words)
    is_whole(scene.first_answers_of_a_life("other", vgName="well"))
    require(not scene.condition(scene.first)[0], "what is mounted is told to be ill")
    scene.ill.heal()
    scene.delete("second")
    require("second" not in volumes_of_lvm(), "it is left")


def a_silent_disk_holds_up_no_volume_in_use(scene):
    """LVM waits for every disk, so nothing is made meanwhile; what is mounted needs no LVM."""
    other, fourth = scene.made("other", "well"), scene.made("fourth")
    scene.node.stage(other)
    scene.ill.falls_silent()
    staged = []
    stage = threading.Thread(
        target=lambda: staged.append(scene.answer("NodeStageVolume", fourth.request, CALLERS_PATIENCE)))
    stage.start()
    published = {**other.request, "targetPath": str(other.target)}
    left = {"volumeId": other.name, "stagingTargetPath": str(other.staging)}
    is_whole([(method, scene.answer(method, request, CALLERS_PATIENCE)) for method, request in (
        ("NodePublishVolume", published), ("NodeGetVolumeStats", other.path), ("NodeGetVolumeStats", scene.first.path),
        ("NodeUnpublishVolume", {"volumeId": other.name, "targetPath": str(other.target)}), ("NodeUnstageVolume", left))])
    stage.join()
    require(staged[0] in (GIVEN_UP, *AGAIN), staged)
    made = scene.answer("CreateVolume", scene.creation("late", vgName="well"), CALLERS_PATIENCE)
    require(made in (GIVEN_UP, *AGAIN), made)
    scene.ill.heal()
    scene.node.use(fourth)
    scene.made("late", "well")
    require((scene.first.target / "data").read_text() == "kept", "the data is gone")


def a_silent_disk_lets_go_when_it_is_back(scene):
    """The file system writes before it is unmounted."""
    first = scene.first
    (first.target / "more").write_text("unwritten")
    scene.ill.falls_silent()
    unpublish = {"volumeId": first.name, "targetPath": str(first.target)}
    answer = scene.answer("NodeUnpublishVolume", unpublish, CALLERS_PATIENCE)
    require(answer == "OK", answer)
    unstage = {"volumeId": first.name, "stagingTargetPath": str(first.staging)}
    answers = [scene.answer("NodeUnstageVolume", unstage, CALLERS_PATIENCE) for _ in range(2)]
    require(answers == [GIVEN_UP, "ABORTED"], answers)
    scene.ill.heal()
    scene.node.leave(first)
    scene.node.use(first)
    require((first.target / "more").read_text() == "unwritten", "what was written is gone")
    scene.node.leave(first)


def nothing_is_left(scene):
    scene.node.leave(Volume("fourth", ""))
    for name in ("first", "third", "fourth", "other", "late"):
        scene.delete(name)
    require(scene.names() == [] and volumes_of_lvm() == [], [scene.names(), volumes_of_lvm()])
    found = subprocess.run(["grep", "-E", "/dev/mapper/(ill|well)-", "/proc/self/mountinfo"], stdout=subprocess.PIPE, check=False)
    require(found.stdout == b"", found.stdout)


def healing(case):
    """One that failed leaves the disk well for the next."""
    def run_and_heal(scene):
        try:
            case(scene)
        finally:
            scene.ill.heal()
    return run_and_heal


CASES = (
    ("what cannot be read is not formatted, and is when it can", what_was_not_read_is_not_formatted),
    ("broken extents make no volume that anybody is told of", extents_that_are_broken_make_no_volume),
    ("a format that failed is made again", a_format_that_failed_is_made_again),
    ("a disk that breaks in use is told, let go and used again", a_disk_that_breaks_in_use_is_told),
    ("a group that cannot be read is not taken to be gone", a_group_that_is_not_read_is_not_gone),
    ("a disk that answers nothing holds up no volume in use", a_silent_disk_holds_up_no_volume_in_use),
    ("and lets go what is on it when it is back", a_silent_disk_lets_go_when_it_is_back),
    ("nothing is left", nothing_is_left),
)

if __name__ == "__main__":
    sys.exit(tell([(name, healing(case)) for name, case in CASES], Scene()))
