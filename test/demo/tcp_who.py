"""Who is seen to call: TCP connections of both families.

    tcp_who.py listen                              on port 4002: tells each caller the address that it is seen by
    tcp_who.py call ADDRESS SECONDS [SOURCE]       prints that address; "refused" and why when nobody answers

Listening prints "ready" first.
"""

import socket
import sys

PORT = 4002


def listen():
    with socket.create_server(("::", PORT), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        print("ready", flush=True)
        while True:
            connection, caller = server.accept()
            with connection:
                connection.sendall(caller[0].removeprefix("::ffff:").encode())


def call(address, seconds, source=None):
    try:
        with socket.create_connection((address, PORT), timeout=float(seconds), source_address=source and (source, 0)) as connection:
            print(connection.recv(100).decode() or "refused: closed")
    except OSError as error:
        print(f"refused: {error}")


if sys.argv[1:] == ["listen"]:
    listen()
else:
    call(*sys.argv[2:])
