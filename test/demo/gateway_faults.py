"""What goes wrong on the way from a pod to the VPC, and what a stream of datagrams notices of it."""

import collections
import pathlib
import subprocess
import sys
import time

import edge_site
import gateway_site
import gateway_stream
from edge_site import run

BEFORE_SECONDS = 0.3   # of the stream, before a fault
AFTER_SECONDS = 1.5    # and after it
BIN_MS = 50            # of the histogram
BAR_MS = 500

# `blackouts`: seconds by direction. `lost`, `twice`: datagrams of all.
Trial = collections.namedtuple("Trial", "fault blackouts lost twice")
# `harm` and `repair` take the world and which gateway, or access point, it befalls: `role` says which of the two.
Fault = collections.namedtuple("Fault", "name role harm repair")


def kill_core(world, gateway):
    world.node_of(gateway).core.kill()


def start_core(world, gateway):
    world.node_of(gateway).start_core()


def cut_cable(world, gateway):
    run("ip", "link", "set", world.node_of(gateway).port(), "down")


def mend_cable(world, gateway):
    run("ip", "link", "set", world.node_of(gateway).port(), "up")


def _drop(world, gateway, verb, directions):
    for direction in directions:
        run("iptables", "-w", verb, "FORWARD", direction, world.node_of(gateway).address, "-j", "DROP")


def cut_uplink(world, gateway):
    _drop(world, gateway, "-I", ("-s", "-d"))


def mend_uplink(world, gateway):
    _drop(world, gateway, "-D", ("-s", "-d"))


def deafen_tunnel(world, gateway):
    _drop(world, gateway, "-I", ("-d",))


def mend_tunnel(world, gateway):
    _drop(world, gateway, "-D", ("-d",))


def kill_access_point(world, point):
    world.points[point].program.kill()


def start_access_point(world, point):
    world.points[point].start_program()


FAULTS = [
    Fault("gateway a: egw-core killed (kill -9)", "gateway", kill_core, start_core),
    Fault("its node: cable pulled", "gateway", cut_cable, mend_cable),
    Fault("its uplink: cut", "gateway", cut_uplink, mend_uplink),
    Fault("its tunnel: nothing comes back", "gateway", deafen_tunnel, mend_tunnel),
    Fault("access point one: killed (kill -9)", "access point", kill_access_point, start_access_point),
]


def end_core(world, gateway):
    world.node_of(gateway).core.terminate()


PLANNED = Fault("planned: gateway a ends in order, and comes back", "gateway", end_core, start_core)


def try_fault(world, fault):
    """From a settled world to a settled world."""
    victim = gateway_site.PREFERRED[fault.role]
    stream = gateway_stream.Stream(world)
    time.sleep(BEFORE_SECONDS)
    fault.harm(world, victim)
    time.sleep(AFTER_SECONDS)
    arrivals = stream.stop()
    fault.repair(world, victim)
    world.wait_settled()
    return _trial(fault, arrivals)


def try_planned(world):
    """The way back is a part of it: the stream goes on until all is as it was."""
    victim = gateway_site.PREFERRED[PLANNED.role]
    stream = gateway_stream.Stream(world)
    time.sleep(BEFORE_SECONDS)
    PLANNED.harm(world, victim)
    time.sleep(AFTER_SECONDS)
    PLANNED.repair(world, victim)
    world.wait_settled()
    return _trial(PLANNED, stream.stop())


def _trial(fault, arrivals):
    return Trial(fault.name, {name: each.blackout() for name, each in arrivals.items()},
                 sum(each.lost() for each in arrivals.values()), sum(each.twice() for each in arrivals.values()))


class Connection:
    """A TCP connection from the pod to the VPC's host, on which both speak ten times a second."""

    def __init__(self, world):
        program = pathlib.Path(__file__).with_name("tcp_talk.py")
        options = {"stdout": subprocess.PIPE, "text": True}
        self._server = world.host.spawn(sys.executable, "-B", program, **options)
        self._server.stdout.readline()
        self._client = world.nodes[2].spawn("ip", "netns", "exec", gateway_site.POD, sys.executable, "-B", program,
                                            gateway_site.HOST, **options)
        self._client.stdout.readline()

    def end(self):
        """How many lines were answered. Errors: it did not live that long, or is dead now."""
        self._client.terminate()
        said = self._client.communicate(timeout=2 * edge_site.COMMAND_SECONDS)[0].split()
        self._server.terminate()
        self._server.wait(timeout=edge_site.COMMAND_SECONDS)
        if said[:1] != ["answered"]:
            raise RuntimeError("the pod's TCP connection to the VPC: " + " ".join(said))
        return int(said[1])


def histogram(trials, width=40):
    """Lines of text: how many blackouts, of both directions, were how long."""
    counts = collections.Counter(int(1000 * each // BIN_MS) for trial in trials for each in trial.blackouts.values()
                                 if each != float("inf"))
    most = max(counts.values(), default=1)
    for number in range(max(counts, default=0) + 1):
        bar = "#" * -(-counts[number] * width // most)
        yield f"{number * BIN_MS:4}-{(number + 1) * BIN_MS:4} ms  {bar} {counts[number] or ''}".rstrip()
