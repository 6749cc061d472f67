"""LVM through a worker of csi-lvm's own, which is asked like the driver's: no program starts for a command."""

import socket
import struct
import subprocess

SECONDS = 60
SETTINGS = ("--devicesfile holdfast.devices --config "
            '"activation/udev_sync=0 devices/obtain_device_list_from_udev=0 devices/use_devicesfile=1"')


class Worker:
    """`program` is the path of lvmcmd. csi-lvm/lvm/frames.h tells how it is spoken to."""

    def __init__(self, program):
        self._channel, theirs = socket.socketpair()
        self._channel.settimeout(SECONDS)
        number = theirs.fileno()
        redirected = "" if number == 3 else f" 3<&{number} {number}<&-"
        subprocess.Popen(["bash", "-c", f'exec "$0"{redirected}', program], pass_fds=(number,), stdin=subprocess.DEVNULL)
        theirs.close()

    def report(self, verb, words):
        """What a report prints. Raises RuntimeError with LVM's words."""
        line = f"{verb} {SETTINGS} {words}".encode()
        self._channel.sendall(struct.pack("<I", len(line)) + line)
        succeeded, output, talk = (self._string() for _ in range(3))
        if succeeded != "1":
            raise RuntimeError(f"{verb}: {talk}{output}")
        return output

    def _string(self):
        return self._bytes(struct.unpack("<I", self._bytes(4))[0]).decode()

    def _bytes(self, count):
        got = b""
        while len(got) < count:
            more = self._channel.recv(count - len(got))
            if not more:
                raise RuntimeError("lvmcmd has ended")
            got += more
        return got
