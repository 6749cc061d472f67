#!/usr/bin/python3
"""Two edge nodes under flanneld, beside two whose VXLAN is set up by hand.

    bench_nodes [--gate]

Throughput from pod to pod, by iperf3, of the one pair and the other in turn (nine runs each); and how soon after
flanneld's start the first packet to a pod of the other node is answered, on a node that booted from its disk with no
cloud (three boots). Prints one JSON line on standard output and the figures beside their bars on standard error. Exit
status: 0; 1 when something failed, and with --gate also when a bar is missed.
"""

import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "test/demo"))
sys.dont_write_bytecode = True
import edge_site  # noqa: E402

WORK = ROOT / "out/bench/nodes"
IN_NAMESPACES = "HOLDFAST_BENCH_INSIDE"
POD = "pod"
RUNS = 9
SECONDS_A_RUN = 2
BOOTS = 3


def wire_by_hand(node, other):
    """What flannel's VXLAN is, with its numbers; the pod as the plugin makes it, and the one rule by which pods get out."""
    mine, theirs = f"10.244.{node.number}", f"10.244.{other.number}"
    their_mac = f"02:00:00:00:88:{other.number:02x}"
    for command in (
            f"ip link add flannel.1 address 02:00:00:00:88:{node.number:02x} mtu 1450 type vxlan id 1 dev eth0 "
            f"local {node.address} dstport 8472 nolearning",
            f"ip address add {mine}.0/32 dev flannel.1",
            "ip link set flannel.1 up",
            f"ip neighbour add {theirs}.0 lladdr {their_mac} dev flannel.1 nud permanent",
            f"bridge fdb add {their_mac} dev flannel.1 dst {other.address}",
            f"ip route add {theirs}.0/24 via {theirs}.0 dev flannel.1 onlink",
            "ip link add cni0 mtu 1450 type bridge",
            f"ip address add {mine}.1/24 dev cni0",
            "ip link set cni0 up",
            f"ip netns add {POD}",
            f"ip link add veth0 mtu 1450 master cni0 type veth peer name eth0 mtu 1450 netns {POD}",
            "ip link set veth0 up",
            f"ip -n {POD} link set lo up",
            f"ip -n {POD} link set eth0 up",
            f"ip -n {POD} address add {mine}.2/24 dev eth0",
            f"ip -n {POD} route add default via {mine}.1",
            "sysctl -qw net.ipv4.ip_forward=1",
            "iptables -t nat -A POSTROUTING -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE"):
        node.run(*command.split())
    return f"{mine}.2"


def throughput(client, server, address):
    """Gbit/s from the one node's pod to the other's."""
    listener = server.spawn("ip", "netns", "exec", POD, "iperf3", "-s", "-1", stdout=subprocess.DEVNULL)
    server.wait_until(lambda: ":5201" in server.run("ip", "netns", "exec", POD, "ss", "-tln"), "iperf3 does not listen")
    answer = json.loads(client.run("ip", "netns", "exec", POD, "iperf3", "-c", address, "-t", str(SECONDS_A_RUN), "-J"))
    listener.wait(timeout=edge_site.COMMAND_SECONDS)
    return answer["end"]["sum_received"]["bits_per_second"] / 1e9


def answers(node, address):
    try:
        node.run("ping", "-n", "-c", "1", "-W", "0.1", address)
    except RuntimeError:
        return False
    return True


def first_packet(node, address):
    """Cuts the node's power; ms from flanneld's start to the first answer, and whether its VTEP MAC is what it was."""
    mac = node.vtep_mac()
    node.cut_power()
    node.boot()
    starting = threading.Thread(target=node.start_daemon)
    began = time.monotonic()
    starting.start()
    node.wait_until(lambda: answers(node, address), "no packet reaches the other node's pod")
    took = (time.monotonic() - began) * 1000
    starting.join()
    if node.vtep_mac() != mac:
        raise RuntimeError(f"{node.name}'s VTEP MAC was {mac}, is {node.vtep_mac()}")
    return took


def make_site():
    site = edge_site.Site(WORK)
    nodes = [edge_site.Node(site, number) for number in (1, 2, 3, 4)]
    for node in nodes:
        node.boot()
    for node in nodes[:2]:
        site.publish(node)
    return site, nodes


def measure():
    site, nodes = make_site()
    first, second, third, fourth = nodes
    for node in nodes[:2]:
        node.start_daemon()
    pod_addresses = [node.start_pod(POD) for node in nodes[:2]]
    wire_by_hand(third, fourth)
    by_hand_address = wire_by_hand(fourth, third)
    ours, by_hand = [], []
    for _ in range(RUNS):
        ours.append(throughput(first, second, pod_addresses[1]))
        by_hand.append(throughput(third, fourth, by_hand_address))
    site.documents.rename(site.folder / "out of reach")
    packets = [first_packet(first, pod_addresses[1]) for _ in range(BOOTS)]
    if first.start_pod(POD) != pod_addresses[0]:
        raise RuntimeError(f"{first.name}'s pod had {pod_addresses[0]} and got another address")
    return ours, by_hand, packets


def report(ours, by_hand, packets, gate):
    ratio = statistics.median(ours) / statistics.median(by_hand)
    bars = [{"name": "throughput_ratio", "value": round(ratio, 3), "limit": 0.97, "pass": ratio >= 0.97},
            {"name": "first_packet_ms", "value": round(max(packets)), "limit": 1000, "pass": max(packets) <= 1000}]
    for bar in bars:
        print(f"{'pass' if bar['pass'] else 'MISS'}  {bar['name']:24} {bar['value']:9}  limit {bar['limit']}", file=sys.stderr)
    print(json.dumps({"bench": "nodes", "gbit_s": [round(each, 2) for each in ours],
                      "by_hand_gbit_s": [round(each, 2) for each in by_hand],
                      "first_packet_ms": [round(each) for each in packets], "bars": bars}))
    return 0 if not gate or all(bar["pass"] for bar in bars) else 1


def enter_namespaces():
    """Starts this program again in namespaces that end with it, so that nothing is left whatever ends it."""
    os.environ[IN_NAMESPACES] = "1"
    os.execvp("setpriv", ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--fork",
                          "--kill-child=KILL", "--mount-proc", sys.executable, "-B", __file__, *sys.argv[1:]])


def main():
    if sys.argv[1:] not in ([], ["--gate"]):
        print(__doc__, file=sys.stderr)
        sys.exit(0 if "--help" in sys.argv else 2)
    if IN_NAMESPACES not in os.environ:
        enter_namespaces()
    shutil.rmtree(WORK, ignore_errors=True)  # what an earlier run left that was killed
    WORK.mkdir(parents=True)
    try:
        status = report(*measure(), gate="--gate" in sys.argv)
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        sys.exit(f"bench_nodes: {error}")
    shutil.rmtree(WORK, ignore_errors=True)
    sys.exit(status)


main()
