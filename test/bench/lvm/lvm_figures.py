"""The figures of `./run bench lvm`, taken inside the guest: prints one JSON object.

    lvm_figures.py SOURCE_TREE
"""

import json
import pathlib
import subprocess
import sys
import time

TREE = pathlib.Path(sys.argv[1])
sys.path[:0] = [str(TREE / "test/demo"), str(TREE / "test/bench")]
sys.dont_write_bytecode = True
import csi_driver  # noqa: E402
import storage_node  # noqa: E402
from measuring import milliseconds, process_figures, seconds_of  # noqa: E402

ROUNDS = 9
AT_ONCE = 64
MANY = 200
CALLS = 200
SIZE = 4 * storage_node.MIB
IDLE_SECONDS = 45  # lvmcmd leaves after 30


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
    requests = [node.volume_request(name, SIZE) for name in names]
    started = time.monotonic()
    answers = node.csi.first_answers("Controller", "CreateVolume", requests)
    took = time.monotonic() - started
    for name in names:
        delete(node, name)
    left = storage_node.run("lvs", *storage_node.LVM_WORDS, "--noheadings", "-o", "lv_name", "shop").split()
    return took, answers.count("OK"), len(left)


def many_by_lvm_alone():
    """Seconds that LVM itself takes for as many volumes: one process, which makes each and changes its tag."""
    settings, devices, *words = storage_node.LVM_WORDS[1:]
    options = f'--config "{settings}" {devices} {" ".join(words)}'
    names = [f"alone-{number}" for number in range(AT_ONCE)]
    lines = [f"lvcreate {options} --yes --wipesignatures y --zero y --setautoactivation n --addtag csi.state=creating "
             f"--name {name} --size {SIZE}b shop" for name in names]
    lines += [f"lvchange {options} --deltag csi.state=creating --addtag csi.state=ready shop/{name}" for name in names]
    started = time.monotonic()
    done = subprocess.run(["lvm"], input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=120)
    took = time.monotonic() - started
    made = storage_node.run("lvs", *storage_node.LVM_WORDS, "--noheadings", "-o", "lv_name", "@csi.state=ready").split()
    if len(made) != AT_ONCE:
        raise RuntimeError(f"lvm alone made {len(made)} volumes: {done.stdout[-500:]} {done.stderr[-500:]}")
    storage_node.run("lvremove", *storage_node.LVM_WORDS, "--yes", "@csi.state=ready")
    return took


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
    """Seconds from the start of the driver with many volumes until it answers: with their devices there, as after
    an update of the driver, and without, as after a boot. Its memory then."""
    for number in range(MANY):
        node.create(f"vol-{number}", SIZE)
    node.stop_driver()
    warm = seconds_of(node.start_driver)
    node.stop_driver()
    storage_node.run("vgchange", *storage_node.LVM_WORDS, "--activate", "n", "shop")
    cold = seconds_of(node.start_driver)
    node.csi.call("Controller", "ListVolumes")
    return warm, cold, process_figures(node.driver_pid())


def report_of_many():
    """Seconds of one report of LVM's on all volumes, by a program that is started for it."""
    return seconds_of(lambda: storage_node.run("lvm", "fullreport", *storage_node.LVM_WORDS))


def main():
    node = storage_node.Node(TREE)
    node.prepare()
    node.make_groups("/out/node-resource-topo.yaml")
    node.start_driver()
    figures = {}
    figures["create_ms"], figures["lvcreate_ms"] = create_beside_lvcreate(node)
    figures["lvmcmd"] = [process_figures(pid) for pid in processes_named("lvmcmd")]
    figures["many_seconds"], figures["many_ok"], figures["many_left"] = many_at_once(node)
    figures["many_floor_seconds"] = many_by_lvm_alone()
    figures["stage_ms"], figures["mount_ms"] = stage_beside_mount(node)
    figures["capacity_ms"] = capacity(node)
    figures["start_200_seconds"], figures["start_200_cold_seconds"], figures["with_200"] = start_with_many(node)
    figures["report_200_seconds"] = report_of_many()
    figures["stage_200_ms"], figures["mount_200_ms"] = stage_beside_mount(node)
    deadline = time.monotonic() + IDLE_SECONDS
    while processes_named("lvmcmd") and time.monotonic() < deadline:
        time.sleep(1)
    figures["lvmcmd_left"] = len(processes_named("lvmcmd"))
    print(json.dumps(figures))


try:
    main()
except subprocess.SubprocessError as error:
    sys.exit(f"lvm_figures: {error}")
