"""One end of a stream of datagrams in both directions.

    udp_stream.py PEER INTERVAL_MS

Sends a numbered datagram to port 4000 of PEER every INTERVAL_MS, and notes what comes. Prints "ready" when it listens;
with SIGTERM one line of JSON: how many were sent, and of each that came its number, when it was sent and when it came,
in seconds of the clock that all namespaces of a machine share.
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


def main():
    peer, interval = (sys.argv[1], PORT), float(sys.argv[2]) / 1000
    stream = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stream.bind(("", PORT))
    stream.setblocking(False)
    signal.signal(signal.SIGTERM, end)
    print("ready", flush=True)
    sent, came, due = 0, [], time.monotonic()
    try:
        while True:
            now = time.monotonic()
            if now >= due:
                try:
                    stream.sendto(PACKET.pack(sent, now), peer)
                except OSError:
                    pass  # unreachable now: lost
                sent += 1
                due += interval
                continue
            if not select.select([stream], [], [], due - now)[0]:
                continue
            try:
                number, at = PACKET.unpack(stream.recv(PACKET.size))
            except OSError:
                continue  # an ICMP error
            came.append((number, at, time.monotonic()))
    except End:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print(json.dumps({"sent": sent, "came": came}), flush=True)


main()
