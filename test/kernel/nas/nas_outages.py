"""csi-nas as it is shipped, while NFS servers die again and again, and stay dead for long.

    nas_outages.py CYCLES SECONDS

Server 1 lives. Of the others each four serve the versions 3, 4.0, 4.1 and 4.2; the last four die once, for SECONDS.
The others die CYCLES times in all, some at a time, while every call that a node knows is made. Runs in the network namespace of the node (test/kernel/nfs_servers.sh). Prints a line of TAP for each check.
"""

import os
import pathlib
import random
import re
import sys
import threading
import time

sys.dont_write_bytecode = True
from nas_node import DRIVER, KUBELET, LONGEST_NOTICE, Node, Packets, Story, Volume, mounts_below, require, within  # noqa: E402
from nas_locks import Locker, slots_raised  # noqa: E402

CYCLES, SECONDS = int(sys.argv[1]), float(sys.argv[2])
EXPORT = pathlib.Path("/srv/share")
VERSIONS = ("3", "4.0", "4.1", "4.2")
PROMPT_SECONDS = 0.020  # what concerns a server that lives
AGAIN_SECONDS = 60  # a mount goes on when the kernel's connection does, which waits longer the longer it waited
GONE_SECONDS = 30  # children that hung
WRITE_PAUSE = 0.5
RESUME_SECONDS = 400  # the kernel's client tries to connect at least every five minutes


def quantile(seconds, part):
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def told(seconds):
    return f"p50 {1000 * quantile(seconds, 0.5):.1f}, p99 {1000 * quantile(seconds, 0.99):.1f} of {len(seconds)}"


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
                 (self.taken.unpublish(), {"OK"}),
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
        # Nobody waits for what is known to be dead, or kubelet would be late with other pods.
        self._ask(self.taken.unstage(), {"OK"})
        self.mend()
        require(not self.wrong, f"server {self.number}, cycle {number}: {self.wrong}")
        self.until_normal()
        self.until_ok(self.held.unpublish("second"), self.fresh.unstage())

    def _ask(self, call, right):
        status, answer = self.node(call)
        self.answers[call[0], status] = self.answers.get((call[0], status), 0) + 1
        if status not in right:
            self.wrong.append(f"{call[0]}: {status}: {answer}")
        elif call[0] == "NodeGetVolumeStats" and not answer.get("usage"):
            self.wrong.append("no usage")

    def end(self):
        self.until_ok(self.held.unpublish(), self.held.unstage(), self.taken.unpublish(), self.taken.unstage())


class Meter:
    """What calls take that concern a server that lives, and none."""

    def __init__(self, node):
        self.node = node
        self.volume = Volume("pv-1-calm", "/srv/share/calm", "3", "10.9.1.1")
        node.ok(self.volume.stage(), self.volume.publish())

    def rounds(self, seconds):
        taken = {}
        volume = self.volume
        calls = ((("Probe", {}), "Identity"), (volume.publish("again"), "Node"), (volume.stats(), "Node"),
                 (volume.unpublish("again"), "Node"))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for call, service in calls:
                began = time.monotonic()
                status, answer = self.node(call, service)
                taken.setdefault(call[0], []).append(time.monotonic() - began)
                require(status == "OK", f"{call[0]}: {status}: {answer}")
        return taken


class Watcher:
    """Children of the driver's, and which server each that is in the kernel waits for."""

    def __init__(self, node):
        self.node = node
        self.most = {}
        self.seen = 0
        self.pause = 0.25
        self._ends = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self):
        while not self._ends.wait(self.pause):
            waiting = {}
            for pid, state in self.node.child_states():
                self.seen += 1
                if state == "D":
                    server = self._server_of(pid)
                    waiting[server] = waiting.get(server, 0) + (server is not None)
            for server, count in waiting.items():
                self.most[server] = max(self.most.get(server, 0), count)

    @staticmethod
    def _server_of(pid):
        try:
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_text()
        except OSError:
            return None  # it has ended
        found = re.search(r"pv-(\d+)-|10\.9\.1\.(\d+)", words)
        if found:
            return found.group(1) or found.group(2)
        for mount in mounts_below(KUBELET / "plugins" / DRIVER / "shared"):
            if mount[4] in words:
                return re.search(r"10\.9\.1\.(\d+)", " ".join(mount)).group(1)
        return words

    def end(self):
        self._ends.set()
        self.thread.join()


class Outages:
    def __init__(self, node):
        self.node = node
        self.meter = Meter(node)
        packets = Packets()
        self.dying = [Patient(node, packets, 2 + n, vers) for n, vers in enumerate(VERSIONS)]
        self.long_dead = [Patient(node, packets, 6 + n, vers) for n, vers in enumerate(VERSIONS)]
        self.cut_at = None
        self.done = 0
        self._lock = threading.Lock()

    def all(self):
        return self.dying + self.long_dead

    def begin(self):
        for patient in self.all():
            patient.begin()
        self.mounts = self._ids()
        self.calm = self.meter.rounds(5)
        for patient in self.all():
            patient.write()
        self.dying[0].cycle(0)  # connections and threads that a first one makes

    @staticmethod
    def _ids():
        return {words[4]: words[0] for words in mounts_below(KUBELET / "pods") if "-held/" in words[4]}

    def die_for_long(self):
        for patient in self.long_dead:
            patient.cut()
        self.cut_at = time.monotonic()

    def neighbours(self):
        """Beside servers that are dead, calls take what they take without."""
        beside = self.meter.rounds(5)
        for call, taken in beside.items():
            before = self.calm[call]
            print(f"# {call}, ms: {told(taken)}; with all alive: {told(before)}", flush=True)
        # Not the 99th of a hundred, which a guest on a busy machine has late by itself.
        for call, taken in beside.items():
            bar = max(PROMPT_SECONDS, 3 * quantile(self.calm[call], 0.5), quantile(self.calm[call], 0.99))
            require(quantile(taken, 0.5) <= bar, f"{call} has a p50 of {1000 * quantile(taken, 0.5):.1f} ms")

    def _cycles_of(self, patient, errors):
        number = 0
        while not errors:
            with self._lock:
                if self.done >= CYCLES:
                    return
                self.done += 1
                if self.done % 50 == 0:
                    print(f"# {self.done} cycles, threads and descriptors: {self.node.open_things()}", flush=True)
            try:
                patient.cycle(number)
            except Exception as error:
                errors.append(f"{type(error).__name__}: {error}")
            number += 1

    def cycles(self):
        errors = []
        began = time.monotonic()
        threads = [threading.Thread(target=self._cycles_of, args=(patient, errors)) for patient in self.dying]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        notices = [seconds for patient in self.dying for seconds in patient.normal_after]
        print(f"# {self.done} cycles in {time.monotonic() - began:.0f} s; normal again after p50 {quantile(notices, 0.5):.1f} s, "
              f"at most {max(notices, default=0):.1f} s", flush=True)
        answers = {}
        for key, count in ((key, count) for patient in self.dying for key, count in patient.answers.items()):
            answers[key] = answers.get(key, 0) + count
        print("# " + ", ".join(f"{call} {status}: {count}" for (call, status), count in sorted(answers.items())), flush=True)
        require(not errors, str(errors))
        require(answers.get(("NodeStageVolume", "UNAVAILABLE"), 0) > 0, "no call was refused")
        for patient in self.dying:
            patient.written()

    def stay_dead(self):
        for patient in self.long_dead:
            patient.until("abnormal")
            require(self.node.ok(patient.held.stats())["usage"], "no usage")
        # Not only in memory.
        self.node.kill()
        self.node.start()
        for patient in self.long_dead:
            require(self.node.ok(patient.held.stats())["usage"], "no usage after a start")
            patient.until("abnormal")
        time.sleep(max(0.0, self.cut_at + SECONDS - time.monotonic()))
        for patient in self.long_dead:
            require(patient.condition() == "abnormal" and patient.writer.thread.is_alive(), f"{patient.held.name} is not dead")

    def come_back(self):
        back = time.monotonic()
        for patient in self.long_dead:
            require(patient.writer.last < self.cut_at + 5, "a write has ended without a server")
            patient.mend()
        waits = [threading.Thread(target=patient.until_normal) for patient in self.long_dead]
        for wait in waits:
            wait.start()
        for wait in waits:
            wait.join()
        for patient in self.long_dead:
            require(patient.normal_after, f"{patient.held.name} is not normal within {LONGEST_NOTICE} s")
            within(RESUME_SECONDS, f"{patient.held.name} is written", lambda each=patient: each.writer.last > back)
            print(f"# dead for {back - self.cut_at:.0f} s, version {patient.vers}: normal after {patient.normal_after[-1]:.1f} s, "
                  f"written after {patient.writer.last - back:.1f} s at most", flush=True)
        require(self._ids() == self.mounts, "something was mounted anew")

    def written(self):
        for patient in self.long_dead:
            patient.written()
        print(f"# {sum(patient.writer.rounds for patient in self.all())} files written and synced, none failed", flush=True)

    def end(self):
        volume = self.meter.volume
        self.node.ok(volume.unpublish(), volume.unstage())
        for patient in self.all():
            patient.end()
        within(90, "no mount is left", lambda: not mounts_below(KUBELET))


def bounded(node, watcher):
    watcher.end()
    print(f"# children in the kernel at a time, by server: {watcher.most}; {watcher.seen} sights of children; "
          f"the longest call {node.longest:.1f} s", flush=True)
    require(not node.slow, f"calls took too long: {node.slow}")
    require(watcher.seen and watcher.most, "no child was seen: this check sees nothing")
    require(max(watcher.most.values()) <= 1, f"{watcher.most}")


def flat(node, before):
    within(90, "as many threads and descriptors as before",
           lambda: all(now <= then for now, then in zip(node.open_things(), before)))
    print(f"# threads and descriptors: {before} before, {node.open_things()} after", flush=True)


def main():
    node = Node()
    check = Story(node).check
    check("the kernel's tables of calls are raised", slots_raised)
    check("locks of version 3 are at the server, and what they need runs when they are asked for", Locker(node).locked)
    outages = Outages(node)
    check("volumes of many servers are published, and written to", outages.begin)
    before = node.open_things()
    watcher = Watcher(node)
    outages.die_for_long()
    check("each call ends in time and as it should, whenever a server dies and however often", outages.cycles)
    watcher.pause = 1.0
    check("threads and descriptors are no more than before", lambda: flat(node, before))
    check("beside dead servers, calls take no longer than without", outages.neighbours)
    check("what is on a server that stays dead is told to be abnormal, with its last usage", outages.stay_dead)
    check("when it is back, what hung goes on without a new mount, and all is normal", outages.come_back)
    check("no write has failed, and the servers have what was written", outages.written)
    check("no child is left in the kernel",
          lambda: within(GONE_SECONDS, "no child is in the kernel", lambda: "D" not in node.children()))
    check("no call took more than five seconds, and one child at most hung for each server",
          lambda: bounded(node, watcher))
    check("nothing is left of what was mounted", outages.end)


main()
