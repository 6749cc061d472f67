#!/usr/bin/python3
"""The node's side of csi-disk on disks that ail, beside one that does not. Prints TAP."""

import sys

from disks import MIB, Disk, Node, Volume, require, run, tell
from mapped_disk import MappedDisk

# Where a backup of a file system's superblock may be, which is looked for before one is made.
PROOF_PLACE = 4 * MIB
SMALL = 64 << 10
SECONDS = 30  # in which every call is to end by itself
GIVEN_UP = "DEADLINE_EXCEEDED"
CALLERS_PATIENCE = 6  # seconds


class SickDisk(Disk):
    """One of a cloud that ails as it is told."""

    def __init__(self, serial):
        super().__init__(f"below-{serial}")  # a loop device has the name of its file for a serial number
        self.serial = serial
        self.ill = MappedDisk(serial, self.image)
        self.image = self.ill.device

    def attach(self):
        # Past the page cache, which would answer for the disk.
        self.device = run("losetup", "--find", "--show", "--direct-io=on", self.image)
        self.link()
        return self


class Scene:
    def __init__(self):
        self.node = Node()
        self.disk = SickDisk("sick").attach()
        self.ill = self.disk.ill
        self.volume = Volume("d-sick", "sick", "new")
        Disk("well").attach()
        self.well = Volume("d-well", "well", "new")

    def answer(self, method, request, seconds=SECONDS):
        return self.node.answer(method, request, seconds=seconds)

    def staging(self):
        return {"volumeId": self.volume.name, "stagingTargetPath": str(self.volume.staging)}


def is_told_unread(scene, offset):
    words = scene.node.driver.first_words("Node", "NodeStageVolume", scene.volume.request, SECONDS)
    require(words.startswith("UNAVAILABLE: ") and f"cannot be read at byte {offset} " in words, words)


def lives(scene):
    """The volume of the disk that is well."""
    scene.node.use(scene.well)
    scene.node.call("NodeGetVolumeStats", scene.well.path)
    scene.node.leave(scene.well)


def what_was_not_read_is_not_formatted(scene):
    scene.ill.breaks(PROOF_PLACE, SMALL)
    is_told_unread(scene, PROOF_PLACE)
    require(not any(scene.ill.content(0, 64 * MIB)), "it was written to")
    lives(scene)
    scene.ill.heal()


def a_format_that_failed_is_made_again(scene):
    scene.ill.takes_no_writes(0, 64 * MIB)
    answer = scene.answer("NodeStageVolume", scene.volume.request)
    require(answer not in ("OK", GIVEN_UP), answer)
    scene.ill.heal()
    scene.node.use(scene.volume)
    (scene.volume.target / "data").write_text("kept")
    scene.node.leave(scene.volume)


def a_file_system_that_is_not_read_is_kept(scene):
    scene.ill.breaks(0, SMALL)
    is_told_unread(scene, 0)
    lives(scene)
    scene.ill.heal()
    scene.node.use(scene.volume)
    require((scene.volume.target / "data").read_text() == "kept", "the data is gone")


def a_silent_disk_is_let_go_when_it_is_back(scene):
    (scene.volume.target / "data").write_text("kept, too")
    scene.ill.falls_silent()
    scene.node.call("NodeGetVolumeStats", scene.volume.path)
    unpublish = {"volumeId": scene.volume.name, "targetPath": str(scene.volume.target)}
    answer = scene.answer("NodeUnpublishVolume", unpublish, CALLERS_PATIENCE)
    require(answer == "OK", answer)
    answers = [scene.answer("NodeUnstageVolume", scene.staging(), CALLERS_PATIENCE) for _ in range(2)]
    require(answers == [GIVEN_UP, "ABORTED"], answers)
    lives(scene)
    scene.ill.heal()
    scene.node.leave(scene.volume)


def a_silent_disk_is_staged_when_it_is_back(scene):
    scene.ill.falls_silent()
    answers = [scene.answer("NodeStageVolume", scene.volume.request, CALLERS_PATIENCE) for _ in range(2)]
    require(answers == [GIVEN_UP, "ABORTED"], answers)
    lives(scene)
    scene.ill.heal()
    scene.node.use(scene.volume)
    require((scene.volume.target / "data").read_text() == "kept, too", "the data is gone")
    scene.node.leave(scene.volume)


CASES = (
    ("what cannot be read is not formatted", what_was_not_read_is_not_formatted),
    ("a format that failed is made again", a_format_that_failed_is_made_again),
    ("a file system that cannot be read is kept", a_file_system_that_is_not_read_is_kept),
    ("a disk that answers nothing is let go when it is back", a_silent_disk_is_let_go_when_it_is_back),
    ("and staged when it is back, beside one that is used all the while", a_silent_disk_is_staged_when_it_is_back),
)

if __name__ == "__main__":
    sys.exit(tell(CASES, Scene()))
