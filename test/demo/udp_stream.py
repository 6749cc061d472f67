"""One end of streams of datagrams in both directions, to a peer of each family or of one.

    udp_stream.py INTERVAL_MS PEER [PEER]

Sends a numbered datagram to port 4000 of each PEER every INTERVAL_MS, and notes what comes. Prints "ready" when it listens;
with SIGTERM one line of JSON, for each PEER in turn: when each datagram was sent, by its number, and of each that came
its number, when it was sent and when it came. Times are seconds of the clock that all namespaces of a machine share.
"""

import json
import select
import signal
import socket
import struct
import sys
import time

PORT = 4000
PACKET = struct.Struct("!Id")


class End(Exception):
    pass


def end(*_):
    raise End


SO_RCVBUFFORCE = 33  # of asm-generic/socket.h
BUFFER_BYTES = 1 << 22  # of seconds in which this program does not run: what comes then is not lost


class Lane:
    """The datagrams to and from one peer."""

    def __init__(self, peer):
        family = socket.AF_INET6 if ":" in peer else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        if family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
        self.socket.bind(("", PORT))
        self.socket.setblocking(False)
        self._peer = (peer, PORT)
        self.sent, self.came = [], []

    def send(self):
        now = time.monotonic()
        self.sent.append(now)
        try:
            self.socket.sendto(PACKET.pack(len(self.sent) - 1, now), self._peer)
        except OSError:
            pass  # unreachable now: lost

    def take(self):
        """What has come; whether there was anything."""
        try:
            number, at = PACKET.unpack(self.socket.recv(PACKET.size))
        except BlockingIOError:
            return False
        except OSError:
            return True  # an ICMP error
        self.came.append((number, at, time.monotonic()))
        return True


def run(lanes, interval):
    due = time.monotonic()
    while True:
        now = time.monotonic()
        if now >= due:
            for lane in lanes:
                lane.send()
            due += interval
            continue
        for ready in select.select([lane.socket for lane in lanes], [], [], due - now)[0]:
            next(lane for lane in lanes if lane.socket is ready).take()


def main():
    interval, lanes = float(sys.argv[1]) / 1000, [Lane(peer) for peer in sys.argv[2:]]
    signal.signal(signal.SIGTERM, end)
    print("ready", flush=True)
    try:
        run(lanes, interval)
    except End:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for lane in lanes:  # what has come is not lost because nobody had the time to look at it
        while lane.take():
            pass
    print(json.dumps([{"sent": lane.sent, "came": lane.came} for lane in lanes]), flush=True)


main()
