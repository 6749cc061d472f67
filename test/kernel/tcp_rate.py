#!/usr/bin/python3
"""One TCP stream, to see what a link lets through.

tcp_rate.py receive FILE     takes one stream; FILE.ready says that it can come, FILE then has its rate in Mbit/s
tcp_rate.py send ADDRESS     sends for two seconds
"""
import pathlib
import socket
import sys
import time

PORT = 5001
SECONDS = 2.0
PATIENCE = 30.0  # no step takes longer


def receive(file: str) -> None:
    with socket.create_server(("", PORT)) as server:
        server.settimeout(PATIENCE)
        pathlib.Path(file + ".ready").touch()
        stream, _ = server.accept()
        with stream:
            stream.settimeout(PATIENCE)
            received = 0
            first = last = time.monotonic()
            while part := stream.recv(65536):
                last = time.monotonic()
                received += len(part)
    pathlib.Path(file).write_text(f"{received * 8 / (last - first) / 1e6:.0f}\n")


def send(address: str) -> None:
    with socket.create_connection((address, PORT), PATIENCE) as stream:
        # What waits in the sender's memory is no traffic yet.
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            stream.sendall(bytes(16384))


if __name__ == "__main__":
    {"receive": receive, "send": send}[sys.argv[1]](sys.argv[2])
