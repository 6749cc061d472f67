"""A machine with a kernel and disks of its own: a guest of test/kernel, driven from here."""

import contextlib
import itertools
import os
import pathlib
import signal
import socket
import struct
import subprocess
import time

GUEST = pathlib.Path(__file__).resolve().parents[1] / "kernel/guest.sh"
BOOT_SECONDS = 60
LIFE_SECONDS = "900"  # then it is ended, whoever forgot it
POLL_SECONDS = 0.02
CONSOLE_SECONDS = 10


class Guest:
    """`disks` are files of this machine, in the order of the guest's /dev/ubda, ubdb and so on. They outlive it."""

    def __init__(self, folder, name):
        self.folder = folder  # the guest's /out, from its boot on
        self._name = name
        self._process = None

    def boot(self, disks, more=()):
        """Seconds until it took commands. `more` goes to its kernel."""
        started = time.monotonic()
        letters = "abcdefgh"
        arguments = [f"ubd{letters[number]}={disk}" for number, disk in enumerate(disks)] + list(more)
        # setpriv: whatever ends this program ends the guest. The file of an earlier boot is not this one's.
        (self.folder / "ready").unlink(missing_ok=True)
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "bash", GUEST, "boot", self.folder, self._name, *arguments],
            stdin=subprocess.DEVNULL, start_new_session=True, env={**os.environ, "GUEST_SECONDS": LIFE_SECONDS},
        )
        while not (self.folder / "ready").exists():
            if self._process.poll() is not None or time.monotonic() - started > BOOT_SECONDS:
                raise RuntimeError(f"the guest did not boot; its console is {self.folder}/console")
            time.sleep(POLL_SECONDS)
        return time.monotonic() - started

    def run(self, command, seconds, each_line=print):
        """Runs it in the guest; each line that it writes is handed over as it comes. RuntimeError when it fails."""
        status = run_in(self.folder, command, seconds, each_line, lambda: self._process.poll() is None)
        if status != 0:
            raise RuntimeError(f"failed in the guest: {command}")

    def cut_power(self):
        """What it did not write to its disks is gone."""
        if self._process is None:
            return
        # guest.sh has become unshare(1), which ends the guest's whole pid namespace with itself.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(timeout=20)
        self._process = None


_numbers = itertools.count(1)


def run_in(folder, command, seconds, each_line=print, is_alive=lambda: True):
    """In the guest that has `folder`, which any program may: the exit status. RuntimeError when there is none."""
    queue = folder / "queue"
    part = queue / f"{os.getpid()}-{next(_numbers)}.part"
    part.write_text(command + "\n")
    part.rename(part.with_suffix(".cmd"))
    deadline = time.monotonic() + seconds
    output, status, told = part.with_suffix(".out"), part.with_suffix(".status"), 0
    while True:
        ended = status.exists()
        told += _tell_lines(output, told, each_line, ended)
        if ended:
            return int(status.read_text())
        if not is_alive() or time.monotonic() > deadline:
            raise RuntimeError(f"the guest gave no answer to: {command}")
        time.sleep(POLL_SECONDS)


def tell_console(folder, command):
    """What a hypervisor does to the machine that has `folder`: "config ubdb=FILE" plugs a disk in, "remove ubdb" pulls it out.
    RuntimeError when it is refused, or the machine is off. Source: Documentation/virt/uml of Linux (mconsole)."""
    magic, version, most = 0xCAFEBABE, 2, 512
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as console:
        console.bind(f"\0holdfast-demo-{os.getpid()}-{next(_numbers)}")
        console.settimeout(CONSOLE_SECONDS)
        words = command.encode()
        try:
            console.sendto(struct.pack(f"=III{most}s", magic, version, len(words), words), str(folder / "uml/guest/mconsole"))
            wrong, more, told = 0, 1, b""
            while more:
                reply = console.recv(4096)
                wrong, more, _ = struct.unpack("=III", reply[:12])
                told += reply[12:]
        except OSError as error:
            raise RuntimeError(f"the console of {folder.name}: {command}: {error}") from error
    if wrong:
        raise RuntimeError(f"the console of {folder.name}: {command}: {told.decode(errors='replace').strip(chr(0))}")


def _tell_lines(path, start, each_line, ended):
    """Hands over the lines of `path` from byte `start` on that are whole; how many bytes these were."""
    try:
        text = path.read_bytes()[start:]
    except FileNotFoundError:
        return 0
    whole = len(text) if ended else text.rfind(b"\n") + 1
    for line in text[:whole].decode(errors="replace").splitlines():
        each_line(line)
    return whole
