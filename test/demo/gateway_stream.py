"""A stream of datagrams between the pod and the VPC's host of gateway_site.py, and what came of it."""

import json
import pathlib
import subprocess
import sys
import time

import gateway_site
from edge_site import COMMAND_SECONDS

END_SECONDS = 0.2  # without a datagram: it is dead
# What was sent so shortly before the end may be on its way.
ON_THE_WAY_SECONDS = 0.5


class Stream:
    """Datagrams in both directions, of both families where the pod has both, one every `interval` ms."""

    def __init__(self, world, interval=5):
        self._interval = interval / 1000
        program = pathlib.Path(__file__).with_name("udp_stream.py")
        options = {"stdout": subprocess.PIPE, "text": True}
        words = (sys.executable, "-B", program, str(interval))
        pods, hosts = [world.pod_address], [gateway_site.HOST]
        if world.pod_address6:
            pods.append(world.pod_address6)
            hosts.append(gateway_site.HOST6)
        self._ends = {
            "pod -> VPC": world.host.spawn(*words, *pods, **options),
            "VPC -> pod": world.nodes[2].spawn("ip", "netns", "exec", gateway_site.POD, *words, *hosts, **options),
        }
        for end in self._ends.values():
            if end.stdout.readline().strip() != "ready":
                raise RuntimeError("an end of the stream of datagrams does not start")
        self._began = time.monotonic()

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

    def longest_gap(self):
        """The same, whether or not anything came at the end, which counts too."""
        times = sorted([self._began, *(at for _, _, at in self._came if self._began < at < self._ended), self._ended])
        return max(later - earlier for earlier, later in zip(times, times[1:])) - self._interval
