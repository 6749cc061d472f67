"""Both ends of a TCP connection on which one speaks ten times a second and the other answers.

    tcp_talk.py [PEER]

Without PEER it listens on port 4001 and answers, for one connection. With PEER it speaks, and with SIGTERM prints
"answered N"; "broken ..." when the connection ended before. Both print "ready" first.
"""

import signal
import socket
import sys
import time

PORT = 4001


class End(Exception):
    pass


def end(*_):
    raise End


def answer():
    with socket.create_server(("", PORT)) as server:
        print("ready", flush=True)
        connection = server.accept()[0]
        with connection:
            while data := connection.recv(4096):
                connection.sendall(data)


def speak(peer):
    answered = 0
    with socket.create_connection((peer, PORT), timeout=30) as connection:
        print("ready", flush=True)
        signal.signal(signal.SIGTERM, end)
        try:
            while True:
                connection.sendall(b"x")
                if not connection.recv(1):
                    raise OSError("closed by the other end")
                answered += 1
                time.sleep(0.1)
        except OSError as error:
            print(f"broken after {answered}: {error}")
        except End:
            print(f"answered {answered}")


if len(sys.argv) > 1:
    speak(sys.argv[1])
else:
    answer()
