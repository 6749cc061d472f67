"""Kills csi-lvm at its changes, in every call, and makes the call again.

    csi_kill.py SOURCE_TREE program|all COUNT|all|few thick|thin [CALL|CALL:FIRST-LAST]...

A life is a volume's, from CreateVolume to DeleteVolume. A life without a kill tells the points of each call, its answer and
what is there after it. Then as many lives follow as there are points, and in each of them every call that has so many is
killed at its n-th change since it began, once before and once after; the driver is started again and the call made until it
is answered. The answer, volumes, devices, mounts, folders and the file in the volume must be as in a life without a kill. COUNT
points are tried of each call, evenly spread, or `all`; `few` is the one in the middle, on one side. Where threads change the order of
changes, the n-th is another one than in the first life; one that is not reached is tried again. With names of calls only these
are interrupted, or only at some of their points.

Exit status 0: nothing was amiss, and every point was tried. The last line tells how many there are and how many were tried.
"""

import os
import pathlib
import subprocess
import sys
import time

import driver_process
import node_state

import calls
import proto
from calls import CALLS, STAGING, TARGET, VOLUME

MARKER = os.urandom(4096) * 256
TRIES = 4
ANSWER_SECONDS = 0.5


def without_time(answer):
    """When a snapshot was taken differs from life to life."""
    return {**answer, "snapshot": {**answer["snapshot"], "creationTime": ""}} if "snapshot" in answer else answer


def write_marker(folder):
    with open(folder / "marker", "wb") as file:
        file.write(MARKER)
        os.fsync(file.fileno())


def check_files():
    """Of the unmounted volume, as fsck sees it. A journal's worth of work is left by no unmounting."""
    return subprocess.run(["e2fsck", "-fn", f"/dev/suite/{VOLUME}"], capture_output=True, text=True, check=False)


class Lives:
    """`volumes`: of which kind the volume is, "thick" or "thin"; the pool of a thin one is made anew in each life."""

    def __init__(self, driver, node, volumes):
        self._driver = driver
        self._node = node
        self._volumes = volumes
        self._expected = {}
        self._life = 0
        self.points = {}
        self.tried = set()
        self.missed = []
        self.spent = {"until the kills": 0.0, "starting again": 0.0, "answering": 0.0, "looking": 0.0}
        self.amiss = []

    def live(self, kills, kind=None):
        """`kills` maps names of calls to (side, number); an empty one is a life without a kill."""
        kind = kind or calls.shortest(kills)
        if kills and (kind, kind[0]) not in self._expected:
            self.live({}, kind)
        self._life += 1
        driver = self._driver
        driver.forget_points()
        node_state.thin_archive()
        if self._volumes == "thin":
            self._without_pool()
        for folder in (STAGING, TARGET.parent):
            folder.mkdir(parents=True, exist_ok=True)
        try:
            for name, service, method, request, marked in CALLS:
                if name not in kind:
                    continue
                request = calls.request_of(request, self._volumes)
                self._step(kind, name, (service, method, request), kills.get(name), marked)
                if name == "stage" and kind != calls.BRIEF:
                    write_marker(STAGING)
        except Exception as error:  # whatever it was, the next life begins afresh
            self._tell(name, kills.get(name), f"{type(error).__name__}: {error}")
            driver.stop()
            self._node.clear()
            driver.start()

    def _without_pool(self):
        """The driver that begins knows of no pool, in each life."""
        self._driver.stop()
        self._node.remove_pool(calls.POOL)
        self._driver.start()

    def _step(self, kind, name, call, kill, marked):
        driver, stretch = self._driver, f"{self._life}.{name}"
        driver.say(stretch, *(kill or ()))
        if kill:
            self._interrupt(name, stretch, call, kill)
        began = time.monotonic()
        answer = without_time(driver.csi.call(*call))
        self._count("answering", began)
        points = driver.points(stretch)
        driver.say(f"{self._life}.between")
        began = time.monotonic()
        seen = {"answer": answer, **self._node.state()}
        if kind == calls.WHOLE:
            self.points.setdefault(name, points)
        for part, value in self._expected.setdefault((kind, name), seen).items():
            if seen[part] != value:
                self._tell(name, kill, f"{part}: {seen[part]}, not {value}")
        self._check_content(kind, name, kill, marked)
        self._count("looking", began)

    def _check_content(self, kind, name, kill, marked):
        if marked and kind != calls.BRIEF and (marked / "marker").read_bytes() != MARKER:
            self._tell(name, kill, "the file is not what was written")
        fsck = check_files() if name == "unstage" else None
        if fsck and fsck.returncode != 0:
            self._tell(name, kill, "e2fsck: " + fsck.stdout + fsck.stderr)

    def _interrupt(self, name, stretch, call, kill):
        driver = self._driver
        began = time.monotonic()
        driver.csi.first_answer(*call)
        reached = self._points_until(stretch, kill[1])
        if len(reached) < kill[1]:
            driver.say(f"{stretch}.again")  # the call that follows has changes too
            self.missed.append((name, kill))
            return
        driver.wait_until_killed()
        self.tried.add((name, kill))
        self._last_point = reached[kill[1] - 1]
        self._count("until the kills", began)
        began = time.monotonic()
        driver.start()
        self._count("starting again", began)

    def _points_until(self, stretch, number):
        """The last change of a call is its answer, which is here before the tracer has told of it."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            reached = self._driver.points(stretch)
            if len(reached) >= number or time.monotonic() > deadline:
                return reached
            time.sleep(0.01)

    def _count(self, what, began):
        self.spent[what] += time.monotonic() - began

    def _tell(self, name, kill, what):
        side, number = kill or ("nowhere", 0)
        point = self._last_point if kill else ""
        self.amiss.append(f"{name}, killed {side} {number} ({point}): {what}")
        print(f"AMISS life {self._life}: {self.amiss[-1]}", flush=True)

    _last_point = ""


def spread(count, wanted):
    """So many of the numbers 1 to `count`, evenly spread."""
    if wanted == "all" or int(wanted) >= count:
        return list(range(1, count + 1))
    step = count / int(wanted)
    return [int(step * (i + 0.5)) + 1 for i in range(int(wanted))]


def all_kills(points, wanted):
    """What is to be tried: (name of the call, (side, number)), call by call."""
    kills = []
    for position, (name, reached) in enumerate(points.items()):
        if wanted == "few":
            kills.append((name, (("before", "after")[position % 2], spread(len(reached), 1)[0])))
            continue
        kills += [(name, (side, number)) for number in spread(len(reached), wanted) for side in ("before", "after")]
    return kills


def chosen(kills, wanted):
    """Those of the calls "NAME" or "NAME:FIRST-LAST"; all of them when none is named."""
    ranges = {}
    for name, _, numbers in (word.partition(":") for word in wanted):
        first, _, last = numbers.partition("-")
        ranges[name] = (int(first or 1), int(last or first or sys.maxsize))
    if not ranges:
        return kills
    return [(name, (side, number)) for name, (side, number) in kills
            if name in ranges and ranges[name][0] <= number <= ranges[name][1]]


def into_lives(kills):
    """Of each call one in a life, as long as there are: call -> (side, number)."""
    lives = []
    lived = {}
    for name, kill in kills:
        i = lived[name] = lived.get(name, -1) + 1
        if i == len(lives):
            lives.append({})
        lives[i][name] = kill
    return lives


def try_all(lives, kills):
    """Those that are not reached are tried again, in whole lives the last time."""
    for attempt in range(TRIES):
        lives.missed = []
        for life, plan in enumerate(into_lives(kills)):
            lives.live(plan, calls.WHOLE if attempt == TRIES - 1 else None)
            if life % 20 == 0:
                print(f"# {len(lives.tried)} tried, {len(lives.amiss)} amiss, "
                      + ", ".join(f"{seconds:.0f} s {what}" for what, seconds in lives.spent.items()), flush=True)
        # A life that broke off left the kills of its later calls out.
        kills = [kill for kill in kills if kill not in lives.tried]
        if not kills:
            break
    for name, (side, number) in kills:
        print(f"NOT REACHED {name} {side} {number}", flush=True)


def main():
    tree, (kill, wanted, volumes), names = pathlib.Path(sys.argv[1]), sys.argv[2:5], sys.argv[5:]
    began = time.monotonic()
    messages = proto.compiled(tree / "common/csi/proto/csi.proto", "/tmp")
    driver = driver_process.DriverProcess(kill, messages)
    driver.start()
    lives = Lives(driver, node_state.Node(tree / "build/bin/lvmcmd"), volumes)
    lives.live({}, calls.WHOLE)
    for name, points in lives.points.items():
        print(f"{name}\t{len(points)} points")
        for number, point in enumerate(points, 1):
            print(f"\t{number}\t{point}")
    if lives.amiss or not all(lives.points.values()):
        sys.exit("the life without a kill went wrong, or a call changed nothing")
    kills = chosen(all_kills(lives.points, wanted), names)
    try_all(lives, kills)
    driver.stop()
    total = sum(map(len, lives.points.values()))
    tried = len({(name, number) for name, (_, number) in lives.tried})
    sides = "one side" if wanted == "few" else "both sides"
    spent = ", ".join(f"{seconds:.0f} {what}" for what, seconds in lives.spent.items())
    print(f"ran {tried} of {total} points enumerated by the tracer, {sides}: {len(lives.tried)} kills, "
          f"{len(kills) - len(lives.tried)} not reached, {len(lives.amiss)} amiss, "
          f"{time.monotonic() - began:.0f} s ({spent})", flush=True)
    sys.exit(1 if lives.amiss or len(lives.tried) < len(kills) else 0)


if __name__ == "__main__":
    main()
