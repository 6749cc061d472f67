"""The whole product in one scene: a cluster, whose cloud is cut off for a minute.

    cluster.py [--cut SECONDS] [--no-times]

An API server and the controllers in a cloud; three edge nodes in namespaces, with flanneld, our CNI plugin, egw-helper and
two gateways to a VPC; a node with a kernel and disks of its own, with csi-node. Then no packet to the cloud or from it
passes, and meanwhile programs are killed, a gateway dies, pods are started, and the storage node loses its power. Exit
status 0: all was kept, and every bar was held. With --no-times bars of time are shown and not judged: for machines that
have other work.
"""

import argparse
import collections
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import cluster_memory
import cluster_metrics
import cluster_site
import cluster_storage
import edge_site
import gateway_faults
import gateway_site
import gateway_stream
import namespaces
from report import print_table, step

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "out/demo/cluster"
CUT_SECONDS = 60
JOIN_SECONDS = 2
CONTROLLER_SECONDS = 2
MEMORY_MIB = 48
PATIENCE = "10"  # seconds that a single ping waits for its answer
UPGRADE_PING_SECONDS = 0.01

# `held`: whether the bar was; `timed`: whether it depends on how fast the machine is.
Row = collections.namedtuple("Row", "what figure bar held timed", defaults=(False,))


def build():
    step("a cloud: API server, two of each controller; three edge nodes join, one after the other")
    cluster = cluster_site.Cluster(WORK)
    print_table(["NODE", "ADDRESS", "PODS", "READY FOR PODS"],
                [[node.name, node.address, node.pod_cidr, f"{seconds:.2f} s after flanneld's start"]
                 for node, seconds in zip(cluster.nodes, cluster.join_seconds)])
    step("egw-controller makes a gateway of the NodePool; what it asks for is started")
    cluster.start_programs()
    cluster.wait_settled()
    print_table(["ON", "SENDS TO THE VPC OR BACK BY"], [[name, way] for name, way in cluster.ways().items()])
    return cluster


def build_storage(cluster):
    step("a node with two blank disks boots, and joins; csi-lvm's controller makes a volume on it")
    shop = cluster_storage.StorageNode(cluster)
    shop.register()
    shop.boot()
    volume = shop.make_volume("pvc-sales")
    written = shop.write(volume)
    print(f"   {volume['volumeId']} is in a pod, which writes: sha256 {written}")
    cluster_memory.publish_configuration(cluster.cloud.api)
    cluster_memory.start_storage_programs(cluster.nodes[2], cluster.cloud.kubeconfig)
    return shop, volume, written


def identity(cluster):
    """What must not change: addresses of pods, VTEP MACs, and what the cloud holds of the nodes."""
    pods, macs = {}, {}
    for node in cluster.nodes:
        macs[node.name] = node.vtep_mac()
        for pod in json.loads(node.run("ip", "-j", "netns", "list") or "[]"):
            told = json.loads(node.run("ip", "-n", pod["name"], "-j", "-4", "address", "show", "dev", "eth0"))
            pods[f"{node.name}/{pod['name']}"] = told[0]["addr_info"][0]["local"]
    return pods, macs


def networks(cluster):
    """The specs of the cluster's NodeNetworkConfigurations, by node."""
    return {each["metadata"]["name"]: each["spec"] for each in cluster.cloud.api.items(cluster_site.NETWORKS)}


def same(what, before, after):
    moved = [name for name in before if after.get(name) != before[name]]
    return Row(what, f"{len(before) - len(moved)} of {len(before)}", "all", not moved)


def restart_flanneld(cluster):
    for node in cluster.nodes:
        node.kill_daemon()
    took = max(node.start_daemon() for node in cluster.nodes)
    return Row("flanneld: kill -9 on every node, started with no cloud", f"ready in {took:.2f} s", f"{JOIN_SECONDS} s",
               took <= JOIN_SECONDS, True)


def restart_helpers(cluster):
    for node in cluster.nodes:
        node.helper.kill()
    for node in cluster.nodes:
        node.start_helper()
    cluster.wait_settled()
    return Row("egw-helper: the same", "routes as they were", "kept", True)


def upgrade_nodes(cluster, address):
    """One node after the other, as a DaemonSet does it; `address` is of a pod on another node than who pings. The way to the
    VPC is judged where the machine has time for BFD."""
    pod, vpc = (edge_site.Pinger(cluster.nodes[2], gateway_site.POD, each, UPGRADE_PING_SECONDS)
                for each in (address, gateway_site.HOST))
    for node in cluster.nodes:
        node.upgrade()
    cluster.wait_settled()
    time.sleep(1)  # pings of the last second are not judged
    rows = [pings_row("both upgraded, node by node: pings from pod to pod lost", pod.result()),
            pings_row("the same: pings to the VPC lost", vpc.result(), timed=True)]
    for row in rows:
        print(f"   {row.what}: {row.figure}", flush=True)
    return rows


def kill_gateway(cluster):
    stream = gateway_stream.Stream(cluster)
    time.sleep(gateway_faults.BEFORE_SECONDS)
    cluster.node_of("a").core.kill()
    cluster.wait_until(lambda: "a" not in cluster.ways().values(), "gateway a is still sent to")
    cluster.in_pod("ping", "-n", "-c", "1", "-W", PATIENCE, gateway_site.HOST)
    longest = max(arrivals.longest_gap() for arrivals in stream.stop().values())
    cluster.node_of("a").start_core()
    cluster.wait_settled()
    return Row("gateway a: kill -9; the way to the VPC", f"silent for {1000 * longest:.0f} ms", f"{gateway_faults.BAR_MS} ms",
               1000 * longest <= gateway_faults.BAR_MS, True)


def start_new_pods(cluster):
    """One on each node; each is reached from the pod that was there before."""
    began = time.monotonic()
    addresses = [node.start_pod(f"new-{node.number}") for node in cluster.nodes]
    took = (time.monotonic() - began) / len(addresses)
    for address in addresses:
        cluster.in_pod("ping", "-n", "-c", "1", "-W", PATIENCE, address)
    cluster.in_pod("ping", "-n", "-c", "1", "-W", PATIENCE, gateway_site.HOST)
    return Row("pods started with no cloud", f"{len(addresses)} reached, {1000 * took:.0f} ms each", "all", True)


def restart_storage(shop, volume, written):
    found = shop.restart(volume)
    yield Row("csi-node: kill -9, started with no cloud, volume mounted anew", f"sha256 {found}", written, found == written)
    shop.cut_power()
    began = time.monotonic()
    shop.boot()
    found = shop.mount(volume)
    yield Row("its node: power cut, boots with no cloud",
              f"sha256 {found}, {time.monotonic() - began:.1f} s from power to pod", written, found == written)


def unreachable(cluster):
    reached = [node.name for node in cluster.nodes if cluster.cloud_is_reached(node)]
    if reached:
        raise RuntimeError(f"the cloud is cut off, and reached by {', '.join(reached)}")


def live_without_cloud(cluster, storage, seconds):
    """The rows of what was done meanwhile."""
    end = time.monotonic() + seconds
    unreachable(cluster)
    rows = []
    for action in (restart_flanneld, restart_helpers, kill_gateway, start_new_pods):
        rows.append(action(cluster))
        print(f"   {rows[-1].what}: {rows[-1].figure}", flush=True)
    for row in restart_storage(*storage):
        rows.append(row)
        print(f"   {row.what}: {row.figure}", flush=True)
    time.sleep(max(0.0, end - time.monotonic()))
    unreachable(cluster)
    return rows


def return_of_cloud(cluster, shop):
    """What goes on when it is back."""
    for node in cluster.nodes:
        cluster_site.wait_for(lambda node=node: cluster.cloud_is_reached(node), f"{node.name} does not reach the cloud")
    began = time.monotonic()
    volume = shop.make_volume("pvc-new")
    took = time.monotonic() - began
    return Row("the cloud is back: another volume is made", f"{volume['volumeId']}, {took:.1f} s", "made", True)


def pings_row(what, pings, timed=False):
    judged = pings.judged()
    lost = sum(1 for number in judged if number not in pings.replies)
    return Row(what, f"{lost} of {len(judged)}", "0", lost == 0, timed)


def memory_row(cluster, shop):
    """Of edge-3, whose csi-node has no volumes; so in its place what that of the other node takes, when that is more."""
    used = cluster_memory.pss_kib(cluster.nodes[2])
    with_volumes = shop.memory_kib()
    parts = ", ".join(f"{name} {kib / 1024:.1f}" for name, kib in sorted(used.items(), key=lambda item: -item[1]))
    print(f"   MiB PSS on edge-3: {parts}; csi-node with volumes, and LVM's worker, on shop-1: {with_volumes / 1024:.1f}")
    storage = sum(kib for name, kib in used.items() if name in cluster_memory.STORAGE)
    mib = (sum(used.values()) - storage + max(storage, with_volumes)) / 1024
    return Row("memory of all programs of a node", f"{mib:.1f} MiB PSS", f"{MEMORY_MIB} MiB", mib <= MEMORY_MIB)


def metrics_row(cluster):
    absent, count = cluster_metrics.absent(cluster)
    if absent:
        print(f"   no program shows {', '.join(absent)}")
    return Row("metrics that rules, boards and docs name", f"{count - len(absent)} of {count} shown", "all", not absent)


def start_rows(cluster):
    """What nobody may wait long for, in a cluster where nothing else happens: bookmarks come one a minute."""
    def row(what, seconds, bar):
        return Row(what, f"{seconds:.2f} s", f"{bar} s", seconds <= bar, True)

    yield row("controllers: start to ready, the slowest of all", cluster.controller_seconds, CONTROLLER_SECONDS)
    *joins, early_join = cluster.join_seconds
    yield row("a node joins: flanneld's start to its first pod", max(joins), JOIN_SECONDS)
    yield row("the same, flannel-controller just started", early_join, JOIN_SECONDS)


def show(cut_seconds):
    """The demo itself; its rows."""
    cluster = build()
    shop, volume, written = build_storage(cluster)
    try:
        rows = list(start_rows(cluster))
        pods, macs = identity(cluster)
        told = networks(cluster)
        connection = gateway_faults.Connection(cluster)
        step("flanneld and egw-helper are upgraded, one node after the other")
        rows += upgrade_nodes(cluster, pods["edge-1/first-1"])
        pinger = edge_site.Pinger(cluster.nodes[2], gateway_site.POD, pods["edge-1/first-1"])
        step("the cloud is cut off")
        began = time.monotonic()
        cluster.cut_the_cloud()
        meanwhile = live_without_cloud(cluster, (shop, volume, written), cut_seconds)
        cluster.restore_the_cloud()
        step(f"the cloud is back, after {time.monotonic() - began:.0f} s")
        back = return_of_cloud(cluster, shop)
        cluster.wait_settled()
        pings = pinger.result()
        now_pods, now_macs = identity(cluster)
        rows += [same("addresses of pods", pods, now_pods), same("VTEP MACs", macs, now_macs),
                 same("what the cloud holds of nodes", told, networks(cluster)),
                 pings_row("pings from pod to pod lost", pings),
                 Row("a pod's TCP connection to the VPC", f"{connection.end()} lines answered", "lives", True)]
        return [*rows, *meanwhile, back, metrics_row(cluster), memory_row(cluster, shop)]
    finally:
        shop.cut_power()


def report(rows, judges_time):
    """Prints the table; what was not kept."""
    def word(row):
        if row.held:
            return "yes"
        return "no, not judged" if row.timed and not judges_time else "NO"

    print_table(["WHAT", "FIGURE", "BAR", "KEPT"], [[row.what, row.figure, row.bar, word(row)] for row in rows])
    return [row.what for row in rows if word(row) == "NO"]


def stop_by_exception(*_):
    raise KeyboardInterrupt


def main():
    arguments = argparse.ArgumentParser(description="A cluster whose cloud is cut off for a minute.")
    arguments.add_argument("--cut", type=float, default=CUT_SECONDS, help=f"seconds at least [{CUT_SECONDS}]")
    arguments.add_argument("--no-times", action="store_true", help="show bars of time, and do not judge by them")
    options = arguments.parse_args()
    namespaces.enter(__file__)
    signal.signal(signal.SIGTERM, stop_by_exception)
    shutil.rmtree(WORK, ignore_errors=True)  # what an earlier run left that was killed
    WORK.mkdir(parents=True)
    failed = None
    try:
        failed = report(show(options.cut), not options.no_times)
    except KeyboardInterrupt:
        print("\ncluster: interrupted", file=sys.stderr)
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        print(f"cluster: {error}", file=sys.stderr)
        print(f"cluster: the programs' messages are in {WORK.relative_to(ROOT)}", file=sys.stderr)
    for what in failed or []:
        print(f"NOT KEPT: {what}")
    if failed == []:
        print("all was kept")
    sys.exit(0 if failed == [] else 1)


if __name__ == "__main__":
    main()
