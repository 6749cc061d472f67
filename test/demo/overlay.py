"""Three edge nodes form an overlay without a cloud, and keep it whatever happens to them.

    overlay.py

Each node is a set of namespaces with a folder as its disk; the LAN between them is a bridge. flanneld runs on each,
with a folder of documents as its lease source, and our CNI plugin connects a pod. Then things go wrong while one pod
pings another on the next node, 50 times a second. Exit status 0: the pods' addresses and the nodes' VTEP MACs are what
they were, and the pings were answered again each time.
"""

import collections
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import edge_site
import picture
from report import print_table, step

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "out/demo/overlay"
PICTURE = ROOT / "out/demo/overlay.svg"
IN_NAMESPACES = "HOLDFAST_DEMO_INSIDE"
SETTLE_SECONDS = 1.0  # of pings before and after each event

# What one event did. `ready`: seconds from the start of flanneld until it was ready; None when it was not started.
Trial = collections.namedtuple("Trial", "name pings ready address mac")
Scene = collections.namedtuple("Scene", "site nodes addresses")  # addresses: of the pods, by node


def pod_on(node):
    return f"till-{node.number}"


def build():
    """Three nodes with a pod each."""
    shop = edge_site.Site(WORK)
    nodes = [edge_site.Node(shop, number) for number in (1, 2, 3)]
    addresses = {}
    for node in nodes:
        node.boot()
        shop.publish(node)
    for node in nodes:
        node.start_daemon()
        addresses[node] = node.start_pod(pod_on(node))
    return Scene(shop, nodes, addresses)


def describe(scene):
    rows = [[node.name, node.address, node.vtep_mac(), pod_on(node), scene.addresses[node]] for node in scene.nodes]
    print_table(["NODE", "ADDRESS", "VTEP MAC", "POD", "POD ADDRESS"], rows)


def check_everybody(scene):
    """Every pod pings every other pod."""
    for node in scene.nodes:
        for other in scene.nodes:
            node.run("ip", "netns", "exec", pod_on(node), "ping", "-n", "-c", "1", "-W", "2", scene.addresses[other])
    print(f"   every pod reaches every other one ({len(scene.nodes) ** 2} pings)")


def throughput(scene):
    """Mbit/s from the first node's pod to the second's, by iperf3."""
    first, second, _ = scene.nodes
    server = second.spawn("ip", "netns", "exec", pod_on(second), "iperf3", "-s", "-1", stdout=subprocess.DEVNULL)
    second.wait_until(lambda: ":5201" in second.run("ip", "netns", "exec", pod_on(second), "ss", "-tln"),
                      "iperf3 does not listen")
    answer = json.loads(first.run("ip", "netns", "exec", pod_on(first), "iperf3", "-c", scene.addresses[second], "-t",
                                  "2", "-J"))
    server.wait(timeout=edge_site.COMMAND_SECONDS)
    return answer["end"]["sum_received"]["bits_per_second"] / 1e6


def cut_the_cloud(scene):
    scene.site.documents.rename(scene.site.folder / "out of reach")


def restart_daemons(scene):
    for node in scene.nodes:
        node.kill_daemon()
    time.sleep(1)
    return max(node.start_daemon() for node in scene.nodes)


def flush_entries(scene):
    first = scene.nodes[0]
    first.run("ip", "neighbour", "flush", "dev", "flannel.1", "nud", "permanent")
    for line in first.run("bridge", "fdb", "show", "dev", "flannel.1").splitlines():
        words = line.split()
        first.run("bridge", "fdb", "delete", words[0], "dev", "flannel.1", "dst", words[2])


def delete_device(scene):
    scene.nodes[0].run("ip", "link", "delete", "flannel.1")


def reboot(scene):
    """With the cloud out of reach; the pod is started as a kubelet would."""
    node = scene.nodes[1]
    node.cut_power()
    node.boot()
    ready = node.start_daemon()
    scene.addresses[node] = node.start_pod(pod_on(node))
    return ready


def restore_the_cloud(scene):
    (scene.site.folder / "out of reach").rename(scene.site.documents)


def move_node(scene):
    node = scene.nodes[1]
    node.change_address("192.168.77.22")
    scene.site.publish(node)


EVENTS = [
    ("the cloud is cut off", cut_the_cloud),
    ("kill -9 of every flanneld, started again after 1 s", restart_daemons),
    ("edge-1: neighbours and FDB flushed", flush_entries),
    ("edge-1: flannel.1 deleted", delete_device),
    ("edge-2: power lost, boots with no cloud", reboot),
    ("the cloud is back", restore_the_cloud),
    ("edge-2: gets another LAN address", move_node),
]


def try_event(scene, name, event):
    first, second, _ = scene.nodes
    address, mac = scene.addresses[second], second.vtep_mac()
    pinger = edge_site.Pinger(first, pod_on(first), address)
    time.sleep(SETTLE_SECONDS)
    ready = event(scene)
    time.sleep(SETTLE_SECONDS)
    trial = Trial(name, pinger.result(), ready, (address, scene.addresses[second]), (mac, second.vtep_mac()))
    if not trial.pings.answered_at_the_end():
        raise RuntimeError(f"after '{name}' pings from {first.name} to {address} are not answered")
    return trial


def kept(before_and_after):
    before, after = before_and_after
    return f"{after} kept" if before == after else f"{after}, HAD {before}"


def row_of(trial):
    silence = trial.pings.silence()
    return [trial.name, kept(trial.address), kept(trial.mac), f"{trial.pings.lost} of {trial.pings.sent}",
            f"{silence * 1000:.0f} ms" if silence else "-", f"{trial.ready * 1000:.0f} ms" if trial.ready else "-"]


def show():
    """The demo itself; returns how many events moved an address or a MAC."""
    step("three nodes boot on one LAN: flanneld on each, a pod on each")
    scene = build()
    describe(scene)
    check_everybody(scene)
    print(f"   from pod to pod, through the overlay: {throughput(scene):.0f} Mbit/s")
    trials = []
    for name, event in EVENTS:
        step(name)
        trials.append(try_event(scene, name, event))
    step(f"what {pod_on(scene.nodes[1])} on edge-2 and who pings it have noticed")
    print_table(["EVENT", "POD ADDRESS", "VTEP MAC", "PINGS LOST", "SILENT FOR", "FLANNELD READY"],
                [row_of(trial) for trial in trials])
    check_everybody(scene)
    PICTURE.write_text(picture.draw(scene, trials, pod_on))
    print(f"   the same as a picture: {PICTURE.relative_to(ROOT)}")
    return sum(trial.address[0] != trial.address[1] or trial.mac[0] != trial.mac[1] for trial in trials)


def enter_namespaces():
    """Starts this program again in namespaces that end with it, so that nothing is left whatever ends it."""
    os.environ[IN_NAMESPACES] = "1"
    os.execvp("setpriv", ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--fork",
                          "--kill-child=KILL", "--mount-proc", sys.executable, "-B", __file__])


def stop_by_exception(*_):
    raise KeyboardInterrupt


def main():
    if len(sys.argv) > 1:
        sys.exit(f"overlay: takes no argument, got '{sys.argv[1]}'")
    if IN_NAMESPACES not in os.environ:
        enter_namespaces()
    signal.signal(signal.SIGTERM, stop_by_exception)
    shutil.rmtree(WORK, ignore_errors=True)  # what an earlier run left that was killed
    WORK.mkdir(parents=True)
    moved = None
    try:
        moved = show()
    except KeyboardInterrupt:
        print("\noverlay: interrupted", file=sys.stderr)
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        print(f"overlay: {error}", file=sys.stderr)
        print(f"overlay: flanneld's messages are in {WORK.relative_to(ROOT)}", file=sys.stderr)
    if moved is None:
        sys.exit(1)
    print(f"{moved} addresses or MACs MOVED" if moved else "all addresses and VTEP MACs were kept")
    sys.exit(1 if moved else 0)


main()
