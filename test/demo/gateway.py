"""Pods of a site reach a VPC through two gateways, and keep reaching it whatever dies.

    gateway.py [--runs N]

Three edge nodes with flanneld and egw-helper, two gateways in pods, an Internet, two access points and a VPC with a
router of its own, all in namespaces, and no API server. Draws the path, and breaks it while datagrams go both ways
every 5 ms and a TCP connection stands. Exit status 0: all came back, the connection lived, and a planned switch lost
nothing.
"""

import argparse
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import failover_picture
import gateway_faults
import gateway_matrix
import gateway_site
import namespaces
from report import print_table, step

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "out/demo/gateway"
PICTURE = ROOT / "out/demo/failover.svg"

PATH = """
   till {pod}                  gateway a {a} on edge-1              access-1 203.0.113.1
   on edge-3                           tunnel to both access points           |
     |                                /                                       |
   cni0 --- flannel.1 === overlay ===+                                      vpc --- router (BIRD) --- host {host}
                                      \\                                       |
                                       gateway b {b} on edge-2              access-2 203.0.113.2
"""


def show_path(world):
    print(PATH.format(pod=world.pod_address, a=world.node_of("a").core_address, b=world.node_of("b").core_address,
                      host=gateway_site.HOST))
    print_table(["ON", "SENDS BY"], [[name, way] for name, way in world.ways().items()])


def cell(seconds):
    return "for good" if seconds == float("inf") else f"{1000 * seconds:.0f} ms"


def table(trials):
    rows = [[trial.fault, *[cell(each) for each in trial.blackouts.values()], str(trial.lost), str(trial.twice)]
            for trial in trials]
    print_table(["EVENT", *[f"SILENT {name}" for name in trials[0].blackouts], "LOST", "TWICE"], rows)


def close_ranges(world):
    """With both gateways dead pods are told at once, and nothing leaves the node in clear."""
    node = world.nodes[2]
    node.run("iptables", "-w", "-t", "mangle", "-A", "POSTROUTING", "-o", "eth0", "-d", gateway_site.VPC)
    for name in gateway_site.GATEWAYS:
        world.node_of(name).core.kill()
    node.wait_until(lambda: not node.sends_to(), "its routes still lead to a dead gateway")
    said = node.spawn("ip", "netns", "exec", gateway_site.POD, "ping", "-c", "3", "-i", "0.2", "-W", "1",
                      gateway_site.HOST, stdout=subprocess.PIPE, text=True).communicate(timeout=20)[0]
    leaked = int(node.run("iptables", "-w", "-t", "mangle", "-L", "POSTROUTING", "-v", "-n", "-x").splitlines()[-1].split()[0])
    if "Unreachable" not in said or leaked:
        raise RuntimeError(f"with both gateways dead {leaked} packets left edge-3 in clear, and ping said: {said}")
    print("   both gateways dead: the pod is told \"unreachable\" at once, and 0 packets for the VPC leave edge-3 in clear")
    for name in gateway_site.GATEWAYS:
        world.node_of(name).start_core()
    world.wait_settled()
    print("   both are back: all is as it was, with no one's help")


def show(runs):
    """The demo itself; returns what failed."""
    step("three edge nodes, two gateways, an Internet, a VPC with two access points; no API server")
    world = gateway_site.World(WORK)
    world.start_programs()
    began = time.monotonic()
    world.wait_settled()
    print(f"   all agree on gateway a and access point one {time.monotonic() - began:.1f} s after their start")
    show_path(world)
    step("who reaches whom, and as whom")
    print_table(["FROM -> TO", "IPV4", "IPV6"], gateway_matrix.Matrix(world).rows())
    connection = gateway_faults.Connection(world)
    trials = []
    for fault in gateway_faults.FAULTS:
        step(f"{fault.name}, {runs} times")
        trials += [gateway_faults.try_fault(world, fault) for _ in range(runs)]
    step(gateway_faults.PLANNED.name)
    planned = gateway_faults.try_planned(world)
    step("what the datagrams have noticed, 200 a second in each direction")
    table([*trials, planned])
    for line in gateway_faults.histogram(trials):
        print(f"   {line}")
    print(f"\n   the pod's TCP connection lived through all of it: {connection.end()} lines answered")
    step("both gateways killed")
    close_ranges(world)
    PICTURE.write_text(failover_picture.draw(trials, planned))
    print(f"   the blackouts as a picture: {PICTURE.relative_to(ROOT)}")
    silent = [trial.fault for trial in [*trials, planned] if float("inf") in trial.blackouts.values()]
    return silent + ([f"{planned.fault}: {planned.lost} lost"] if planned.lost else [])


def stop_by_exception(*_):
    raise KeyboardInterrupt


def main():
    arguments = argparse.ArgumentParser(description="Pods keep reaching a VPC whatever dies.")
    arguments.add_argument("--runs", type=int, default=3, help="of each fault [3]")
    runs = arguments.parse_args().runs
    namespaces.enter(__file__)
    signal.signal(signal.SIGTERM, stop_by_exception)
    shutil.rmtree(WORK, ignore_errors=True)  # what an earlier run left that was killed
    WORK.mkdir(parents=True)
    failed = None
    try:
        failed = show(runs)
    except KeyboardInterrupt:
        print("\ngateway: interrupted", file=sys.stderr)
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        print(f"gateway: {error}", file=sys.stderr)
        print(f"gateway: the programs' messages are in {WORK.relative_to(ROOT)}", file=sys.stderr)
    if failed is None:
        sys.exit(1)
    for name in failed:
        print(f"FAILED: {name}")
    if not failed:
        print("each time both directions came back by themselves, and the planned switch lost nothing")
    sys.exit(1 if failed else 0)


main()
