"""csi-nas as it is shipped, while NFS servers die again and again, and stay dead for long.

    nas_outages.py CYCLES SECONDS FOURS

Server 1 lives. Of the others each four serve the versions 3, 4.0, 4.1 and 4.2; the second four die once, for SECONDS.
The others of FOURS die CYCLES times in all, some at a time, while every call that a node knows is made. Runs in the network namespace of the node
(test/kernel/nfs_servers.sh). Prints a line of TAP for each check.
"""

import sys
import threading
import time

sys.dont_write_bytecode = True
from nas_locks import Locker, slots_raised  # noqa: E402
from nas_meters import Meter, Watcher, memory, quantile, told  # noqa: E402
from nas_node import KUBELET, LONGEST_NOTICE, Node, Packets, Story, mounts_below, require, within  # noqa: E402
from nas_patient import Patient  # noqa: E402

CYCLES, SECONDS, FOURS = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
VERSIONS = ("3", "4.0", "4.1", "4.2")
LONG_DEAD = 1  # which four
PROMPT_SECONDS = 0.020  # what concerns a server that lives
GONE_SECONDS = 30  # children that hung
RESUME_SECONDS = 400  # the kernel's client tries to connect at least every five minutes


class Outages:
    def __init__(self, node):
        self.node = node
        self.meter = Meter(node)
        packets = Packets()
        fours = [[Patient(node, packets, 2 + 4 * four + n, vers) for n, vers in enumerate(VERSIONS)] for four in range(FOURS)]
        self.long_dead = fours.pop(LONG_DEAD)
        self.dying = [patient for four in fours for patient in four]
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
                    print(f"# {self.done} cycles, threads and descriptors: {self.node.open_things()}; memory: {memory()}", flush=True)
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
