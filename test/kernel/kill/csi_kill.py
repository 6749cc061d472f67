"""Kills csi-lvm at its changes, in every call, and makes the call again.

    csi_kill.py SOURCE_TREE program|all COUNT|all|few

A life is a volume's, from CreateVolume to DeleteVolume. One life without a kill tells the points of each call, its answer and
what is there after it. Then as many lives follow as there are points, and in each of them every call that has so many is
killed at its n-th change since it began, once before and once after; the driver is started again and the call made until it
is answered. The answer, volumes, devices, mounts, folders and the file in the volume must be as in the first life. COUNT
points are tried of each call, evenly spread, or `all`; `few` is the one in the middle, on one side. Where threads change the order of changes, the n-th is another one
than in the first life.

Exit status 0: nothing was amiss. The last line tells how many points were tried.
"""

import os
import pathlib
import subprocess
import sys
import time

import driver_process
import node_state

import csi_driver
import proto

MIB = 1 << 20
VOLUME, SNAPSHOT = "pvc-killed", "snap-killed"
STAGING = node_state.KUBELET / "plugins/csi" / VOLUME / "globalmount"
TARGET = node_state.KUBELET / "pods/pod-1/volumes/csi" / VOLUME / "mount"
MARKER = os.urandom(4096) * 256
GROWN = {"requiredBytes": str(96 * MIB)}
ON_NODE = {"volumeId": VOLUME, "stagingTargetPath": str(STAGING), "volumeCapability": csi_driver.capability("ext4")}
IN_POD = {"volumeId": VOLUME, "targetPath": str(TARGET)}
CREATE = {
    "name": VOLUME, "capacityRange": {"requiredBytes": str(64 * MIB)}, "parameters": {"vgName": "suite"},
    "volumeCapabilities": [csi_driver.capability("ext4")],
}
UNSTAGE = {"volumeId": VOLUME, "stagingTargetPath": str(STAGING)}

# name, service, method, request, where the file is to be found afterwards
CALLS = (
    ("create", "Controller", "CreateVolume", CREATE, None),
    ("stage", "Node", "NodeStageVolume", ON_NODE, None),
    ("publish", "Node", "NodePublishVolume", {**ON_NODE, **IN_POD}, None),
    ("grow", "Controller", "ControllerExpandVolume", {"volumeId": VOLUME, "capacityRange": GROWN}, TARGET),
    ("grow-files", "Node", "NodeExpandVolume",
     {"volumeId": VOLUME, "volumePath": str(TARGET), "stagingTargetPath": str(STAGING), "capacityRange": GROWN}, TARGET),
    ("snapshot", "Controller", "CreateSnapshot", {"name": SNAPSHOT, "sourceVolumeId": VOLUME}, TARGET),
    ("unpublish", "Node", "NodeUnpublishVolume", IN_POD, STAGING),
    ("unstage", "Node", "NodeUnstageVolume", UNSTAGE, None),
    ("stage-again", "Node", "NodeStageVolume", ON_NODE, STAGING),
    ("unstage-again", "Node", "NodeUnstageVolume", UNSTAGE, None),
    ("delete-snapshot", "Controller", "DeleteSnapshot", {"snapshotId": SNAPSHOT}, None),
    ("delete", "Controller", "DeleteVolume", {"volumeId": VOLUME}, None),
)
# What is enough of a life to kill CreateVolume and the first NodeStageVolume, which have the most points.
BRIEF_LIFE = ("create", "stage", "unstage", "delete")


def without_time(answer):
    """When a snapshot was taken differs from life to life."""
    return {**answer, "snapshot": {**answer["snapshot"], "creationTime": ""}} if "snapshot" in answer else answer


def write_marker():
    with open(TARGET / "marker", "wb") as file:
        file.write(MARKER)
        os.fsync(file.fileno())


def check_files():
    """Of the unmounted volume, as fsck sees it. A journal's worth of work is left by no unmounting."""
    return subprocess.run(["e2fsck", "-fn", f"/dev/suite/{VOLUME}"], capture_output=True, text=True, check=False)


class Lives:
    def __init__(self, driver):
        self._driver = driver
        self._expected = {}
        self._life = 0
        self.points = {}
        self.kills = 0
        self.seconds_to_kill = 0.0
        self.seconds_to_start = 0.0
        self.unreached = 0
        self.amiss = []

    def live(self, kills):
        """`kills` maps names of calls to (side, number); an empty one is the first life."""
        self._life += 1
        driver = self._driver
        driver.forget_points()
        for folder in (STAGING, TARGET.parent):
            folder.mkdir(parents=True, exist_ok=True)
        brief = bool(kills) and set(kills) <= {"create", "stage"}
        try:
            for name, service, method, request, marked in CALLS:
                if brief and name not in BRIEF_LIFE:
                    continue
                # After a brief life's last kill nothing but the end is as in the first one.
                comparable = not brief or name != "unstage"
                self._step(name, (service, method, request), kills.get(name), marked if not brief else None, comparable)
                if name == "publish":
                    write_marker()
        except Exception as error:  # whatever it was, the next life begins afresh
            self._tell(name, kills.get(name), f"{type(error).__name__}: {error}")
            driver.stop()
            node_state.clear()
            driver.start()

    def _step(self, name, call, kill, marked, comparable):
        driver, stretch = self._driver, f"{self._life}.{name}"
        driver.say(stretch, *(kill or ()))
        if kill:
            self._interrupt(stretch, call, kill)
        answer = without_time(driver.csi.call(*call))
        points = driver.points(stretch)
        driver.say(f"{self._life}.between")
        seen = {"answer": answer, **node_state.state()}
        if name not in self._expected:
            self._expected[name] = seen
            self.points[name] = points
        for part, value in self._expected[name].items():
            if comparable and seen[part] != value:
                self._tell(name, kill, f"{part}: {seen[part]}, not {value}")
        if marked and (marked / "marker").read_bytes() != MARKER:
            self._tell(name, kill, "the file is not what was written")
        if name == "unstage":
            fsck = check_files()
            if fsck.returncode != 0:
                self._tell(name, kill, "e2fsck: " + fsck.stdout + fsck.stderr)

    def _interrupt(self, stretch, call, kill):
        driver = self._driver
        began = time.monotonic()
        driver.csi.first_answer(*call)
        reached = driver.points(stretch)
        if len(reached) < kill[1]:
            self.unreached += 1
            return
        driver.wait_until_killed()
        self.kills += 1
        self._last_point = reached[kill[1] - 1]
        killed = time.monotonic()
        driver.start()
        self.seconds_to_kill += killed - began
        self.seconds_to_start += time.monotonic() - killed

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


def kills_of_lives(points, wanted):
    """What is killed in each life: call -> (side, number)."""
    lives = []
    for position, (name, reached) in enumerate(points.items()):
        if wanted == "few":
            kills = [(("before", "after")[position % 2], spread(len(reached), 1)[0])]
        else:
            kills = [(side, number) for number in spread(len(reached), wanted) for side in ("before", "after")]
        for i, kill in enumerate(kills):
            if i == len(lives):
                lives.append({})
            lives[i][name] = kill
    return lives


def main():
    tree, kill, wanted = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    began = time.monotonic()
    messages = proto.compiled(tree / "common/csi/proto/csi.proto", "/tmp")
    driver = driver_process.DriverProcess(kill, messages)
    driver.start()
    lives = Lives(driver)
    lives.live({})
    for name, points in lives.points.items():
        print(f"{name}\t{len(points)} points")
        for number, point in enumerate(points, 1):
            print(f"\t{number}\t{point}")
    if lives.amiss or not all(lives.points.values()):
        sys.exit("the life without a kill went wrong, or a call changed nothing")
    plan = kills_of_lives(lives.points, wanted)
    for kills in plan:
        lives.live(kills)
    driver.stop()
    asked = sum(map(len, plan))
    total = sum(map(len, lives.points.values()))
    tried = f"{asked} of {total} points, one side" if wanted == "few" else f"{asked // 2} of {total} points, both sides"
    print(f"ran {tried}: {lives.kills} kills, {lives.unreached} points not reached again, "
          f"{len(lives.amiss)} amiss, {time.monotonic() - began:.0f} s ({lives.seconds_to_kill:.0f} s of them until the kills, "
          f"{lives.seconds_to_start:.0f} s starting again)", flush=True)
    sys.exit(1 if lives.amiss or lives.unreached > asked // 10 else 0)


if __name__ == "__main__":
    main()
