"""Both ends of a TCP connection on which one speaks ten times a second and the other answers.

    tcp_talk.py [PEER]

Without PEER it listens on port 4001 and answers, for one connection. With PEER it speaks, and with SIGTERM says a last
line, and prints "answered N" when that is answered too; "broken ..." when it is not, or the connection ended before.
Both print "ready" first.
"""

import signal
import socket
import sys
import time

PORT = 4001
SILENT_SECONDS = 30  # without an answer it is dead; what is lost is sent again at ever longer intervals
LAST_SECONDS = 15    # the same of the last line
LINE, LAST_LINE = b"x", b"z"


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


def hear(connection):
    said = connection.recv(1)
    if not said:
        raise OSError("closed by the other end")
    return said


def say_last_line(connection):
    connection.settimeout(LAST_SECONDS)
    connection.sendall(LAST_LINE)
    while hear(connection) != LAST_LINE:
        pass


def speak(peer):
    answered = 0
    with socket.create_connection((peer, PORT), timeout=SILENT_SECONDS) as connection:
        signal.signal(signal.SIGTERM, end)
        print("ready", flush=True)
        try:
            try:
                while True:
                    connection.sendall(LINE)
                    hear(connection)
                    answered += 1
                    time.sleep(0.1)
            except End:
                say_last_line(connection)
            print(f"answered {answered + 1}")
        except OSError as error:
            print(f"broken after {answered}: {error}")


if len(sys.argv) > 1:
    speak(sys.argv[1])
else:
    answer()
