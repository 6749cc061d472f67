"""A stream of datagrams between the pod and the VPC's host of gateway_site.py, what came of it, and what of that is the
machine's doing."""

import json
import pathlib
import subprocess
import sys
import time

import gateway_site
from edge_site import COMMAND_SECONDS

END_SECONDS = 0.2  # without a datagram: it is dead
# Nothing comes for so long between two machines that nobody does any harm to: this one has no time for them.
HELD_UP_SECONDS = 0.05
# What was sent so shortly before the end may be on its way.
ON_THE_WAY_SECONDS = 0.5


class Stream:
    """Datagrams in both directions, of both families where the pod has both, one every `interval` ms."""

    def __init__(self, world, interval=5):
        self._interval = interval / 1000
        program = pathlib.Path(__file__).with_name("udp_stream.py")
        options = {"stdout": subprocess.PIPE, "text": True}
        self._ends = self._start(world, (sys.executable, "-B", program, str(interval)), options)
        for end in self._ends.values():
            if end.stdout.readline().strip() != "ready":
                raise RuntimeError("an end of the stream of datagrams does not start")
        self._began = time.monotonic()

    def _start(self, world, words, options):
        pods, hosts = [world.pod_address], [gateway_site.HOST]
        if world.pod_address6:
            pods.append(world.pod_address6)
            hosts.append(gateway_site.HOST6)
        return {"pod -> VPC": world.host.spawn(*words, *pods, **options),
                "VPC -> pod": world.nodes[2].spawn("ip", "netns", "exec", gateway_site.POD, *words, *hosts, **options)}

    def stop(self):
        """By direction, those of IPv4 first: what came at its end of what was sent at the other."""
        ended = time.monotonic()
        for end in self._ends.values():
            end.terminate()
        notes = {name: json.loads(end.communicate(timeout=COMMAND_SECONDS)[0]) for name, end in self._ends.items()}
        (one, here), (other, there) = notes.items()
        out = {}
        for family, mine, theirs in zip(("", " IPv6"), here, there):
            out[one + family] = Arrivals(mine["came"], theirs["sent"], self._interval, self._began, ended)
            out[other + family] = Arrivals(theirs["came"], mine["sent"], self._interval, self._began, ended)
        return out


class Reference(Stream):
    """The same between two machines beside the scene, which stand still when this machine has no time for the scene."""

    def _start(self, world, words, options):
        one, other = world.bystanders
        return {"one -> other": other.spawn(*words, one.address, **options),
                "other -> one": one.spawn(*words, other.address, **options)}

    def held_up(self):
        """Stops it. When nothing came in a direction: (from, to), in order and apart."""
        silences = sorted(silence for arrivals in self.stop().values() for silence in arrivals.silences())
        out = []
        for begin, end in silences:
            if end - begin < HELD_UP_SECONDS:
                continue
            if out and begin <= out[-1][1]:
                out[-1] = (out[-1][0], max(end, out[-1][1]))
            else:
                out.append((begin, end))
        return out


class Arrivals:
    """One direction of a stream, from `began` to `ended`. `came`: number, when it was sent, when it came; `sent`: when, by
    number."""

    def __init__(self, came, sent, interval, began, ended):
        self._came = came
        self._sent = sent
        self._interval = interval
        self._began, self._ended = began, ended

    def lost(self):
        """How many of those that were sent in this time never came, be it that nothing came after them."""
        numbers = {number for number, _, _ in self._came}
        return sum(1 for number, at in enumerate(self._sent)
                   if self._began <= at < self._ended - ON_THE_WAY_SECONDS and number not in numbers)

    def twice(self):
        return len(self._came) - len({number for number, _, _ in self._came})

    def blackout(self):
        """The longest time in which nothing came, in seconds, beyond what lies between two datagrams; infinite when
        nothing came at the end."""
        last = max((at for _, _, at in self._came), default=self._began)
        return float("inf") if self._ended - last > END_SECONDS else self.longest_gap()

    def silences(self):
        """Between every two that came next to each other: (from, to), in order."""
        times = sorted([self._began, *(at for _, _, at in self._came if self._began < at < self._ended), self._ended])
        return list(zip(times, times[1:]))

    def longest_gap(self, held_up=()):
        """The same, whether or not anything came at the end, which counts too. Without what of it lies in `held_up`, of
        (from, to)."""
        def net(begin, end):
            return end - begin - sum(max(0, min(end, to) - max(begin, since)) for since, to in held_up)
        return max(max(0, net(*silence) - self._interval) for silence in self.silences())
