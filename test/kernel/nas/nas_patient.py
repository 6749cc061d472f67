"""A server that dies and comes back, and what is on it: volumes, and a program that writes to one of them."""

import os
import pathlib
import random
import sys
import threading
import time

sys.dont_write_bytecode = True
from nas_node import LONGEST_NOTICE, Volume, require, within  # noqa: E402

EXPORT = pathlib.Path("/srv/share")
AGAIN_SECONDS = 60  # a mount goes on when the kernel's connection does, which waits longer the longer it waited
WRITE_PAUSE = 0.5


class Writer:
    """A program in a pod, which writes and syncs over and over; nothing that it does may fail."""

    def __init__(self, folder):
        self._path = folder / "written"
        self._ends = threading.Event()
        self.error = None
        self.rounds = 0
        self.last = time.monotonic()
        self.thread = threading.Thread(target=self._write, daemon=True)
        self.thread.start()

    def _write(self):
        try:
            while not self._ends.wait(WRITE_PAUSE):
                with open(self._path, "wb") as file:
                    file.write(b"%d\n" % self.rounds + b"x" * 65536)
                    os.fsync(file.fileno())
                self.rounds += 1
                self.last = time.monotonic()
        except OSError as error:
            self.error = error

    def end(self, seconds):
        self._ends.set()
        self.thread.join(seconds)
        require(not self.thread.is_alive(), f"{self._path}: a write hangs")
        require(self.error is None, f"{self._path}: {self.error}")


class Patient:
    """A server, and volumes on it."""

    def __init__(self, node, packets, number, vers):
        self.node, self.packets, self.number, self.vers = node, packets, number, vers
        self.address = f"10.9.1.{number}"
        self.held = self._volume("held", f"/srv/share/s{number}")
        self.taken = self._volume("taken", f"/srv/share/s{number}")
        self.fresh = self._volume("fresh", "/srv/share")
        self.writer = None
        self.dead = False
        self.normal_after = []
        self.answers = {}

    def _volume(self, name, path):
        return Volume(f"pv-{self.number}-{name}", path, self.vers, self.address)

    def begin(self):
        self.node.ok(self.held.stage(), self.held.publish())

    def write(self):
        self.writer = Writer(self.held.target())

    def written(self):
        self.writer.end(AGAIN_SECONDS)
        text = (EXPORT / f"s{self.number}/written").read_bytes()
        require(text.startswith(b"%d\n" % (self.writer.rounds - 1)), f"server {self.number} lacks what was written")

    def cut(self):
        self.dead = True
        self.packets.drop(self.address)

    def mend(self):
        self.packets.let_through(self.address)
        self.dead = False

    def condition(self):
        answer = self.node.ok(("NodeGetVolumeHealth", {"volumeId": self.held.name}))
        return "abnormal" if answer["volumeHealth"].get("healthStatuses") else "normal"

    def until(self, condition):
        within(LONGEST_NOTICE, f"{self.held.name} is {condition}", lambda: self.condition() == condition)

    def until_normal(self):
        began = time.monotonic()
        self.until("normal")
        self.normal_after.append(time.monotonic() - began)

    def until_ok(self, *calls):
        """As kubelet does: until it succeeds."""
        for call in calls:
            deadline = time.monotonic() + AGAIN_SECONDS
            while True:
                status, answer = self.node(call)
                if status == "OK":
                    break
                require(status == "UNAVAILABLE" and time.monotonic() < deadline, f"{call[0]}: {status}: {answer}")
                time.sleep(0.5)

    def cycle(self, number):
        """One death and return. Every other time it dies not before the calls but while they are made."""
        self.until_ok(self.taken.stage(), self.taken.publish())
        within(AGAIN_SECONDS, "usage is known", lambda: self.node(self.held.stats())[0] == "OK")
        before = number % 2 == 0
        # What is known to the kernel may be shown without the server: also a share that is mounted since the last cycle.
        calls = [(self.fresh.stage(), {"OK", "UNAVAILABLE"}),
                 (self.held.publish("second"), {"OK", "UNAVAILABLE"}),
                 (self.taken.unpublish(), {"OK", "UNAVAILABLE"}),
                 (self.held.stats(), {"OK"}),
                 (("NodeGetVolumeHealth", {"volumeId": self.held.name}), {"OK"}),
                 (("NodeGetInfo", {}), {"OK"})]
        threads = [threading.Thread(target=self._ask, args=call) for call in calls]
        self.wrong = []
        if before:
            self.cut()
        for thread in threads:
            thread.start()
        if not before:
            time.sleep(random.uniform(0, 0.1))
            self.cut()
        for thread in threads:
            thread.join()
        # Nobody waits for what is dead, or kubelet would be late with other pods. An unmount that a busy machine holds up goes on.
        self._ask_until_ok(self.taken.unpublish())
        self._ask_until_ok(self.taken.unstage())
        self.mend()
        require(not self.wrong, f"server {self.number}, cycle {number}: {self.wrong}")
        self.until_normal()
        self.until_ok(self.held.unpublish("second"), self.fresh.unstage())

    def _ask_until_ok(self, call):
        deadline = time.monotonic() + AGAIN_SECONDS
        while self._ask(call, {"OK", "UNAVAILABLE"}) == "UNAVAILABLE":
            require(time.monotonic() < deadline, f"{call[0]} does not end while server {self.number} is dead")
            time.sleep(0.1)

    def _ask(self, call, right):
        status, answer = self.node(call)
        self.answers[call[0], status] = self.answers.get((call[0], status), 0) + 1
        held_up = "has not ended" in str(answer) or "is being unmounted" in str(answer)
        if status not in right or (call[0].startswith("NodeUn") and status != "OK" and not held_up):
            self.wrong.append(f"{call[0]}: {status}: {answer}")
        elif call[0] == "NodeGetVolumeStats" and not answer.get("usage"):
            self.wrong.append("no usage")
        return status

    def end(self):
        self.until_ok(self.held.unpublish(), self.held.unstage(), self.taken.unpublish(), self.taken.unstage())
