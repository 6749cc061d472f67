"""csi-lvm under the tracer."""

import itertools
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "test/demo"))
import csi_driver  # noqa: E402

WORK = pathlib.Path("/run/kill")
CONTROL = WORK / "control"
POINTS = WORK / "control.points"
GONE = WORK / "control.killed"
KILLED = 77  # syscall_killer's exit status
PATIENCE_SECONDS = 30


def waiting():
    """Where each process is in the kernel, and the state of each mapped device: what hangs, and for what."""
    lines = []
    for folder in sorted(pathlib.Path("/proc").glob("[0-9]*"), key=lambda folder: int(folder.name)):
        try:
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            name = (folder / "comm").read_text().strip()
            lines.append(f"{folder.name} {name} {state} {(folder / 'wchan').read_text()}")
        except OSError:
            continue
    devices = subprocess.run(["dmsetup", "info", "-c"], capture_output=True, text=True, timeout=5, check=False)
    return "\n".join(["", *lines, devices.stdout, devices.stderr])


class DriverProcess:
    """`kill` is what a kill takes: "program" leaves LVM's worker and other helpers alone, "all" spares nothing."""

    def __init__(self, kill, messages):
        self._options = ["--kill", kill] + (["--leave", "lvmcmd"] if kill == "program" else [])
        self._messages = messages
        self._numbers = itertools.count()
        self._tracer = None
        self._earlier = []  # they follow what their driver has started to its end
        self.csi = None
        WORK.mkdir(exist_ok=True)

    def start(self):
        """Another socket each time: a channel of gRPC to the old one would wait before it connects again."""
        self.say("start")
        GONE.unlink(missing_ok=True)
        self._earlier = [tracer for tracer in [*self._earlier, self._tracer] if tracer and tracer.poll() is None]
        endpoint = WORK / f"csi-{next(self._numbers)}.sock"
        # Its log goes through a pipe: lines in a file would be changes too.
        log = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=open(WORK / "driver.log", "ab"))
        self._tracer = subprocess.Popen(
            [ROOT / "build/guest/bin/syscall_killer", "--control", CONTROL, *self._options, "--",
             ROOT / "build/bin/csi-lvm", "--node-id=edge-1", f"--endpoint=unix://{endpoint}"],
            stdin=subprocess.DEVNULL, stdout=log.stdin, stderr=log.stdin)
        log.stdin.close()
        self._wait_for(endpoint)
        self.csi = csi_driver.Driver(endpoint, self._messages)

    def _wait_for(self, endpoint):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex(str(endpoint)) == 0:
                    return
            if time.monotonic() > deadline or self._tracer.poll() is not None:
                raise RuntimeError("csi-lvm does not start: " + (WORK / "driver.log").read_text()[-2000:] + waiting())
            time.sleep(0.005)

    def say(self, stretch, side="", number=""):
        """What the tracer is to do at the points from now on."""
        part = WORK / "control.part"
        part.write_text(f"{stretch} {side} {number}\n")
        part.rename(CONTROL)

    def points(self, stretch):
        """"call target" of each point that was reached in it."""
        if not POINTS.exists():
            return []
        lines = (line.split("\t", 3) for line in POINTS.read_text(errors="replace").splitlines())
        return [f"{words[2]} {words[3]}" for words in lines if words[0] == stretch]

    def forget_points(self):
        POINTS.unlink(missing_ok=True)

    def wait_until_killed(self):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not GONE.exists() and self._tracer.poll() is None:
            if time.monotonic() > deadline:
                raise RuntimeError("csi-lvm was not killed")
            time.sleep(0.002)
        if self._tracer.poll() not in (None, KILLED):
            raise RuntimeError(f"the tracer ended with {self._tracer.returncode}")

    def stop(self):
        """Asks it to end, as an update does."""
        if self._tracer.poll() is not None:
            return
        self.say("stop")
        for child in pathlib.Path(f"/proc/{self._tracer.pid}/task/{self._tracer.pid}/children").read_text().split():
            os.kill(int(child), signal.SIGTERM)
        try:
            self._tracer.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._tracer.kill()
            self._tracer.wait()
