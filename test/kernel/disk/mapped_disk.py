"""A disk of a guest that ails as it is told: device-mapper over a loop device. The guest has dm-flakey and dm-delay."""

import os

from disks import run

SECTOR = 512
# No udevd is waited for: device-mapper makes the file of the device at once.
WITHOUT_UDEV = {**os.environ, "DM_DISABLE_UDEV": "1"}
SILENCE_MS = 10 * 60 * 1000


def hidden(device):
    """Its number, MAJOR:MINOR. Its file goes: whoever looks for disks finds the mapped one alone."""
    number = os.stat(device).st_rdev
    os.unlink(device)
    return f"{os.major(number)}:{os.minor(number)}"


class MappedDisk:
    """Whole at first. `image` is a file that holds its content."""

    def __init__(self, name, image):
        self.image = image
        self.device = f"/dev/mapper/{name}"
        self._name = name
        self._below = hidden(run("losetup", "--find", "--show", image))
        self._sectors = os.stat(image).st_size // SECTOR
        self._dmsetup("create", input=self._whole())

    def _dmsetup(self, verb, *words, **more):
        run("dmsetup", verb, self._name, *words, env=WITHOUT_UDEV, **more)

    def _linear(self, begin, end):
        return f"{begin} {end - begin} linear {self._below} {begin}\n" if begin < end else ""

    def _whole(self):
        return self._linear(0, self._sectors)

    def _become(self, table):
        """What waits for the disk is let go, or fails, as the table says."""
        self._dmsetup("load", input=table)
        self._dmsetup("suspend")
        self._dmsetup("resume")

    def _with(self, offset, length, target):
        begin, end = offset // SECTOR, (offset + length) // SECTOR
        self._become(f"{self._linear(0, begin)}{begin} {end - begin} {target}\n{self._linear(end, self._sectors)}")

    def heal(self):
        self._become(self._whole())

    def breaks(self, offset, length):
        """These bytes can neither be read nor written."""
        self._with(offset, length, "error")

    def takes_no_writes(self, offset, length):
        begin = offset // SECTOR
        self._with(offset, length, f"flakey {self._below} {begin} 0 60 1 error_writes")

    def falls_silent(self):
        """It answers nothing until it is healed, as a disk does that its driver tries to bring back."""
        self._become(f"0 {self._sectors} delay {self._below} 0 {SILENCE_MS}\n")

    def content(self, offset, length):
        with open(self.image, "rb") as file:
            file.seek(offset)
            return file.read(length)
