#!/usr/bin/python3
"""How long pods and a VPC do not reach each other while something of the gateway dies, and how fast they do else.

    bench_gateway [--runs N] [--gate]

The scene of `./run demo gateway`. Each of five faults N times (50), and a planned switch; then iperf3 from the pod to
the VPC's host beside the same namespaces, tunnels and routes set up by hand, five times by turns. Prints one JSON line
on standard output and the figures beside their bars on standard error. Exit status: 0; 1 when something failed, and
with --gate also when a bar is missed.
"""

import argparse
import pathlib
import shutil
import statistics
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "test/demo"), str(ROOT / "test/bench")]
sys.dont_write_bytecode = True
import bars  # noqa: E402
import gateway_by_hand  # noqa: E402
import gateway_faults  # noqa: E402
import gateway_site  # noqa: E402
import measuring  # noqa: E402
import namespaces  # noqa: E402

WORK = ROOT / "out/bench/gateway"
TURNS = 5


def word_of(fault):
    return fault.harm.__name__


def measure_faults(world, runs):
    figures = {}
    for fault in gateway_faults.FAULTS:
        trials = [gateway_faults.try_fault(world, fault) for _ in range(runs)]
        for direction in trials[0].blackouts:
            figures[f"{word_of(fault)} {direction}"] = measuring.milliseconds([each.blackouts[direction] for each in trials])
        print(f"{fault.name}: done", file=sys.stderr)
    return figures


def measure_throughput(world):
    """Medians of Mbit/s: ours, and by hand."""
    tunnel = gateway_by_hand.Tunnel(world)
    ours, theirs = [], []
    for _ in range(TURNS):
        ours.append(gateway_by_hand.throughput(world))
        with tunnel.carry():
            theirs.append(gateway_by_hand.throughput(world))
    return statistics.median(ours), statistics.median(theirs)


def measure(runs):
    WORK.mkdir(parents=True)
    world = gateway_site.World(WORK)
    world.start_programs()
    world.wait_settled()
    connection = gateway_faults.Connection(world)
    blackouts = measure_faults(world, runs)
    planned = gateway_faults.try_planned(world)
    answered = connection.end()
    ours, theirs = measure_throughput(world)
    return {"runs": runs, "blackout_ms": blackouts, "planned_lost": planned.lost, "planned_twice": planned.twice,
            "planned_blackout_ms": {name: round(1000 * each, 2) for name, each in planned.blackouts.items()},
            "tcp_lines_answered": answered, "mbit_s": round(ours), "by_hand_mbit_s": round(theirs)}


def bars_of(figures):
    """As bars.report() takes them."""
    out = [(f"{name} p99 ms", each["p99"], gateway_faults.BAR_MS, None) for name, each in figures["blackout_ms"].items()]
    out += [(f"planned switch, {name} ms", each, gateway_faults.BAR_MS, None)
            for name, each in figures["planned_blackout_ms"].items()]
    out.append(("planned switch, lost", figures["planned_lost"], 0, None))
    by_hand, ours = figures["by_hand_mbit_s"], figures["mbit_s"]
    out.append(("by hand / ours", by_hand / ours, 1 / 0.97, (by_hand, ours)))
    return out


def main():
    parser = argparse.ArgumentParser(prog="bench_gateway", description="Blackouts and throughput of the gateway.")
    parser.add_argument("--runs", type=int, default=50, help="of each fault [50]")
    parser.add_argument("--gate", action="store_true", help="fail when a bar is missed")
    options = parser.parse_args()
    namespaces.enter(str(pathlib.Path(__file__).resolve()))
    shutil.rmtree(WORK, ignore_errors=True)  # what an earlier run left that was killed
    try:
        figures = measure(options.runs)
    except (OSError, RuntimeError) as error:
        sys.exit(f"bench_gateway: {error}\nbench_gateway: the programs' messages are in {WORK.relative_to(ROOT)}")
    sys.exit(bars.report("gateway", figures, bars_of(figures), options.gate))


main()
