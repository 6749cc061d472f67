"""The figures of `./run bench lvm`, taken inside the guest: prints one JSON object.

    lvm_figures.py SOURCE_TREE
"""

import concurrent.futures
import json
import pathlib
import statistics
import subprocess
import sys
import time

TREE = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(TREE / "test/demo"))
sys.dont_write_bytecode = True
import csi_driver  # noqa: E402
import storage_node  # noqa: E402

ROUNDS = 9
AT_ONCE = 64
MANY = 200
CALLS = 200
SIZE = 4 * storage_node.MIB
IDLE_SECONDS = 45  # lvmcmd leaves after 30


def seconds_of(action):
    started = time.monotonic()
    action()
    return time.monotonic() - started


def milliseconds(seconds):
    ordered = sorted(seconds)
    return {"p50": round(1000 * statistics.median(ordered), 2),
            "p99": round(1000 * ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))], 2)}


def delete(node, name):
    node.csi.call("Controller", "DeleteVolume", {"volumeId": name})


def create_beside_lvcreate(node):
    """A volume by the driver and one by a program that is started for it, in turn."""
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(seconds_of(lambda: node.create("ours", SIZE)))
        theirs.append(seconds_of(lambda: storage_node.run(
            "lvcreate", *storage_node.LVM_WORDS, "--yes", "--wipesignatures", "y", "--zero", "y", "--name", "theirs", "--size", "4m", "shop")))
        delete(node, "ours")
        storage_node.run("lvremove", *storage_node.LVM_WORDS, "--yes", "shop/theirs")
    return milliseconds(ours), milliseconds(theirs)


def many_at_once(node):
    """Seconds until all calls are answered, and how many were OK at the first try."""
    names = [f"many-{number}" for number in range(AT_ONCE)]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        started = time.monotonic()
        answers = list(pool.map(lambda name: node.csi.first_answer("Controller", "CreateVolume",
                                                                   node.volume_request(name, SIZE)), names))
        took = time.monotonic() - started
    for name in names:
        delete(node, name)
    left = storage_node.run("lvs", *storage_node.LVM_WORDS, "--noheadings", "-o", "lv_name", "shop").split()
    return took, answers.count("OK"), len(left)


def stage_beside_mount(node):
    """The same formatted volume staged by the driver and mounted by mount(8), in turn."""
    name, place = "staged", pathlib.Path("/mnt/by-hand")
    place.mkdir(parents=True, exist_ok=True)
    node.create(name, 64 * storage_node.MIB)
    node.stage(name)
    node.unstage(name)
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(seconds_of(lambda: node.stage(name)))
        node.unstage(name)
        theirs.append(seconds_of(lambda: storage_node.run("mount", "-t", "ext4", f"/dev/shop/{name}", place)))
        storage_node.run("umount", place)
    delete(node, name)
    return milliseconds(ours), milliseconds(theirs)


def capacity(node):
    request = {"parameters": storage_node.PARAMETERS}
    return milliseconds([seconds_of(lambda: node.csi.call("Controller", "GetCapacity", request)) for _ in range(CALLS)])


def process_figures(pid):
    fields = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    return {"rss_kib": int(fields["VmRSS"].split()[0]), "threads": int(fields["Threads"])}


def processes_named(name):
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/comm"):
        try:
            if path.read_text().strip() == name:
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def start_with_many(node):
    """Milliseconds from the start of the driver with many volumes until it answers, and its memory then."""
    for number in range(MANY):
        node.create(f"vol-{number}", SIZE)
    node.stop_driver()
    took = seconds_of(node.start_driver)
    node.csi.call("Controller", "ListVolumes")
    return took, process_figures(node.driver_pid())


def main():
    node = storage_node.Node(TREE)
    node.prepare()
    node.make_groups("/out/node-resource-topo.yaml")
    node.start_driver()
    figures = {}
    figures["create_ms"], figures["lvcreate_ms"] = create_beside_lvcreate(node)
    figures["lvmcmd"] = [process_figures(pid) for pid in processes_named("lvmcmd")]
    figures["many_seconds"], figures["many_ok"], figures["many_left"] = many_at_once(node)
    figures["stage_ms"], figures["mount_ms"] = stage_beside_mount(node)
    figures["capacity_ms"] = capacity(node)
    figures["start_200_seconds"], figures["with_200"] = start_with_many(node)
    deadline = time.monotonic() + IDLE_SECONDS
    while processes_named("lvmcmd") and time.monotonic() < deadline:
        time.sleep(1)
    figures["lvmcmd_left"] = len(processes_named("lvmcmd"))
    print(json.dumps(figures))


try:
    main()
except subprocess.SubprocessError as error:
    sys.exit(f"lvm_figures: {error}")
