"""The figures of `./run bench nas`, taken inside the guest: prints one JSON object."""

import json
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "test/kernel/nas"), str(ROOT / "test/bench")]
sys.dont_write_bytecode = True
from measuring import milliseconds, process_figures, seconds_of  # noqa: E402
from nas_node import DRIVER, KUBELET, Node, Packets, Volume, require, within  # noqa: E402

SERVERS = [f"10.9.1.{number}" for number in range(1, 6)]
VOLUMES = 100
ROUNDS = 15
CALLS = 600
# As the driver has them when a volume names none.
OPTIONS = {"3": "vers=3,nolock,rsize=1048576,wsize=1048576,timeo=600,retrans=2,noresvport", "4.1": "vers=4.1,noresvport"}


def run(*words):
    subprocess.run(words, check=True)


def stage_beside_mount(node, vers):
    """A share staged by the driver and mounted by mount.nfs, in turn; nothing else is mounted of its server."""
    volume, place = Volume(f"pv-{vers}", "/srv/share", vers, SERVERS[0]), pathlib.Path("/mnt/by-hand")
    place.mkdir(parents=True, exist_ok=True)
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(seconds_of(lambda: node.ok(volume.stage())))
        node.ok(volume.unstage())
        theirs.append(seconds_of(lambda: run("mount.nfs", f"{SERVERS[0]}:/srv/share", place, "-o", OPTIONS[vers])))
        run("umount", place)
    return milliseconds(ours[1:]), milliseconds(theirs[1:])


def publish_beside_bind(node, volume):
    place = pathlib.Path("/mnt/bound")
    place.mkdir(parents=True, exist_ok=True)
    ours, theirs = [], []
    for _ in range(CALLS):
        call = volume.publish("again")
        ours.append(seconds_of(lambda: node.ok(call)))
        node.ok(volume.unpublish("again"))
        theirs.append(seconds_of(lambda: run("mount", "--bind", volume.staging, place)))
        run("umount", place)
    return milliseconds(ours), milliseconds(theirs)


def calls_of(node, volume, other):
    """What concerns one volume, and the look at another's usage."""
    taken = {"probe": [], "publish": [], "stats": [], "other_stats": [], "unpublish": []}
    for _ in range(CALLS):
        publish = volume.publish("again")
        for name, call, service in (("probe", ("Probe", {}), "Identity"), ("publish", publish, "Node"),
                                    ("stats", volume.stats(), "Node"), ("other_stats", other.stats(), "Node"),
                                    ("unpublish", volume.unpublish("again"), "Node")):
            began = time.monotonic()
            status, answer = node(call, service)
            taken[name].append(time.monotonic() - began)
            require(status == "OK", f"{call[0]}: {status}: {answer}")
    return {name: milliseconds(seconds) for name, seconds in taken.items()}


def main():
    socket = KUBELET / "csi-plugins" / DRIVER / "csi.sock"
    node = Node("node", f"--profile={DRIVER}", program="csi-node", endpoint=str(socket))
    packets = Packets()
    figures = {"stage_ms": {}, "mount_nfs_ms": {}}
    for vers in OPTIONS:
        figures["stage_ms"][vers], figures["mount_nfs_ms"][vers] = stage_beside_mount(node, vers)
    volumes = [Volume(f"pv-{number}", "/srv/share", "3", SERVERS[number % len(SERVERS)]) for number in range(VOLUMES)]
    began = time.monotonic()
    for volume in volumes:
        node.ok(volume.stage(), volume.publish())
    figures["stage_publish_100_seconds"] = round(time.monotonic() - began, 2)
    figures["superblocks"] = len({os.stat(volume.target()).st_dev for volume in volumes})
    for volume in volumes:
        node.ok(volume.stats())
    figures["with_100"] = process_figures(node.pid())
    live, dead = volumes[0], volumes[4]
    figures["publish_ms"], figures["mount_bind_ms"] = publish_beside_bind(node, live)
    figures["all_alive_ms"] = calls_of(node, live, dead)
    packets.drop(SERVERS[4])
    within(15, "the server is known to be dead",
           lambda: node.ok(dead.stats())["volumeCondition"].get("abnormal", False))
    figures["beside_dead_ms"] = calls_of(node, live, dead)
    figures["with_dead"] = process_figures(node.pid())
    packets.let_through(SERVERS[4])
    within(15, "the server is known to live",
           lambda: not node.ok(dead.stats())["volumeCondition"].get("abnormal", False))
    print(json.dumps(figures))


main()
