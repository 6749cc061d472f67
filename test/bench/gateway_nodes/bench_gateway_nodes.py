#!/usr/bin/python3
"""What egw-core costs in a pool of 200 nodes, each of which watches both gateways by signed BFD of 3 x 100 ms.

    bench_gateway_nodes [--gate]

The scene of `./run demo gateway`, with its three nodes; one more machine on its LAN has the addresses of 197 others and
answers for them. Processor time of both egw-cores for 20 s in which nothing happens, and their memory, without the
wireguard-go that they start. Prints one JSON line on standard output and the figures beside their bars on standard
error. Exit status: 0; 1 when something failed, and with --gate also when a bar is missed.
"""

import argparse
import os
import pathlib
import shutil
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "test/demo"), str(ROOT / "test/bench")]
sys.dont_write_bytecode = True
import bars  # noqa: E402
import edge_site  # noqa: E402
import gateway_site  # noqa: E402
import measuring  # noqa: E402
import namespaces  # noqa: E402

WORK = ROOT / "out/bench/gateway_nodes"
CROWD = ROOT / "build/bench/bin/bfd_crowd"
NODES = 200
MEASURED_SECONDS = 20
SETTLE_SECONDS = 60


class Crowd(edge_site.Machine):
    """One machine that is many nodes: the address of each one's pod subnet, and its ends of the sessions."""

    def __init__(self, world):
        super().__init__(world.site, "crowd")
        self._world = world
        self._numbers = range(len(world.nodes) + 1, NODES + 1)

    def nodes(self):
        """As the pool's object tells of them."""
        return [{"name": f"edge-{n}", "podCIDRs": [f"10.244.{n}.0/24"], "addresses": [f"192.168.77.{n}"]} for n in self._numbers]

    def boot(self):
        super().boot()
        address = f"192.168.77.{self._numbers[0]}"
        self.plug("lan", "crowd", "eth0", f"{address}/24")
        for number in self._numbers:
            self.run("ip", "address", "add", f"10.244.{number}.0/32", "dev", "lo")
        for name in gateway_site.GATEWAYS:
            node = self._world.node_of(name)
            self.run("ip", "route", "add", node.pod_cidr, "via", node.address)
            node.run("ip", "route", "add", gateway_site.PODS, "via", address)

    def start_program(self):
        gateways = [self._world.node_of(name).core_address for name in gateway_site.GATEWAYS]
        sessions = "".join(f"10.244.{n}.0 {gateway}\n" for n in self._numbers for gateway in gateways)
        file = self._world.folder / "sessions"
        file.write_text(sessions)
        log = self._world.folder / "crowd.log"
        with open(file, "rb") as ours, open(log, "wb") as said:
            self.spawn(CROWD, self._world.folder / "liveness", stdin=ours, stdout=said, stderr=said)
        self.wait_until(lambda: "up\n" in log.read_text(), "not all sessions come up", SETTLE_SECONDS)

    def downs(self):
        """Sessions that went down since, by the crowd's own word."""
        return (self._world.folder / "crowd.log").read_text().count("down ")


def nodes_up(world, name):
    page = world.core_page(name, "/metrics")
    return next((int(line.split()[1]) for line in page.splitlines() if line.startswith("egw_core_nodes_up ")), 0)


def processor_seconds(pid):
    """Fields 14 and 15 of /proc/PID/stat, proc(5)."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pss_mib(pid):
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(next(line.split()[1] for line in rollup.splitlines() if line.startswith("Pss:"))) / 1024


def measure_cores(world):
    """Of each gateway: percent of one processor, and memory."""
    pids = {name: world.node_of(name).core.pid for name in gateway_site.GATEWAYS}
    began, before = time.monotonic(), {name: processor_seconds(pid) for name, pid in pids.items()}
    time.sleep(MEASURED_SECONDS)
    took = time.monotonic() - began
    return {name: {"cpu_percent": round(100 * (processor_seconds(pid) - before[name]) / took, 2),
                   "pss_mib": round(pss_mib(pid), 2), **measuring.process_figures(pid)} for name, pid in pids.items()}


def measure():
    WORK.mkdir(parents=True)
    world = gateway_site.World(WORK)
    crowd = Crowd(world)
    crowd.boot()
    world.publish(crowd.nodes())
    world.start_programs()
    world.wait_settled()
    crowd.start_program()
    crowd.wait_until(lambda: all(nodes_up(world, name) == NODES for name in gateway_site.GATEWAYS),
                     f"not all of {NODES} nodes are up", SETTLE_SECONDS)
    before = crowd.downs()
    cores = measure_cores(world)
    return {"nodes": NODES, "cores": cores, "downs": crowd.downs() - before}


def bars_of(figures):
    """As bars.report() takes them."""
    out = []
    for name, each in figures["cores"].items():
        out += [(f"core {name}, cpu percent", each["cpu_percent"], 10, None), (f"core {name}, pss MiB", each["pss_mib"], 16, None)]
    return [*out, ("sessions that went down", figures["downs"], 0, None)]


def main():
    parser = argparse.ArgumentParser(prog="bench_gateway_nodes", description="What egw-core costs in a pool of 200 nodes.")
    parser.add_argument("--gate", action="store_true", help="fail when a bar is missed")
    options = parser.parse_args()
    namespaces.enter(str(pathlib.Path(__file__).resolve()))
    shutil.rmtree(WORK, ignore_errors=True)  # what an earlier run left that was killed
    try:
        figures = measure()
    except (OSError, RuntimeError) as error:
        sys.exit(f"bench_gateway_nodes: {error}\nbench_gateway_nodes: the programs' messages are in {WORK.relative_to(ROOT)}")
    sys.exit(bars.report("gateway_nodes", figures, bars_of(figures), options.gate))


main()
