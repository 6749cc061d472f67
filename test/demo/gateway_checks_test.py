"""The checks of the gateway's demo can fail, and for their reason: as TAP.

Arrivals are made up; ends of connections and streams are real, in a network namespace of their own.
"""

import pathlib
import signal
import subprocess
import sys
import time

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER))
import gateway_faults  # noqa: E402
import gateway_matrix  # noqa: E402
import gateway_site  # noqa: E402
import gateway_stream  # noqa: E402
import namespaces  # noqa: E402

INTERVAL, SECONDS = 0.01, 4.0


def arrivals(comes, seconds=SECONDS):
    """One datagram every INTERVAL, of which those come that `comes` says by when they were sent."""
    sent = [number * INTERVAL for number in range(int(seconds / INTERVAL))]
    came = [(number, at, at + 0.001) for number, at in enumerate(sent) if comes(at)]
    return gateway_stream.Arrivals(came, sent, INTERVAL, 0.0, seconds)


def expect(what, wanted, got):
    if wanted != got:
        raise RuntimeError(f"{what}: {got}, not {wanted}")


def count_what_was_sent():
    expect("all came", 0, arrivals(lambda at: True).lost())
    expect("a hole", 100, arrivals(lambda at: not 1 <= at < 2).lost())
    expect("nothing came after the first second", 250, arrivals(lambda at: at < 1).lost())
    expect("nothing came before the second", 200, arrivals(lambda at: at >= 2).lost())
    expect("nothing came at all", 350, arrivals(lambda at: False).lost())


def time_what_was_silent():
    expect("a hole", 1000, round(1000 * arrivals(lambda at: not 1 <= at < 2).blackout()))
    expect("dead at the end", float("inf"), arrivals(lambda at: at < 1).blackout())
    expect("dead at the end, timed", 3, round(arrivals(lambda at: at < 1).longest_gap()))
    expect("dead at the beginning, timed", 2, round(arrivals(lambda at: at >= 2).longest_gap()))


def take_off_what_the_machine_was_held_up():
    silent = arrivals(lambda at: not 1 <= at < 2)
    expect("of all of it nothing is left", 0, round(1000 * silent.longest_gap([(0.9, 2.1)])))
    expect("of half of it the other", 500, round(1000 * silent.longest_gap([(1.5, 3)]), -1))
    expect("what was at another time counts for nothing", 1000, round(1000 * silent.longest_gap([(0.2, 0.9), (2.1, 3)]), -1))
    expect("a longer silence may be shorter then", 700, round(1000 * arrivals(
        lambda at: not (1 <= at < 2 or 2.5 <= at < 3.2)).longest_gap([(1.1, 1.9)]), -1))


class Here:
    """A machine of the scene that is this namespace. `instead`: what it starts in place of what it is asked for."""

    name, gateway, core_pod = "here", "a", "gateway-a"

    def __init__(self, *instead):
        self._instead = instead

    def spawn(self, *command, **options):
        command = command[4:] if command[:3] == ("ip", "netns", "exec") else command
        return subprocess.Popen(self._instead or command, **options)


class Scene:
    """As much of gateway_site.World as connections and the matrix ask for."""

    def __init__(self, *machines):
        self.host, self.gateway, node = machines or (Here(), Here(), Here())
        self.nodes = [None, None, node]

    def node_of(self, _):
        return self.gateway


class Alone:
    """A machine that hears itself alone, in a network namespace of its own."""

    address = "127.0.0.1"

    def spawn(self, *command, **options):
        self.end = subprocess.Popen(["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh", *command],
                                    **options)
        return self.end


def notice_a_machine_that_stands_still():
    """As far as that can be had: one of its programs does."""
    scene = Scene()
    scene.bystanders = one, _ = Alone(), Alone()
    reference = gateway_stream.Reference(scene)
    time.sleep(0.5)
    one.end.send_signal(signal.SIGSTOP)
    time.sleep(0.5)
    one.end.send_signal(signal.SIGCONT)
    time.sleep(0.5)
    held_up = sum(to - since for since, to in reference.held_up())
    if not 0.4 < held_up < 1.3:
        raise RuntimeError(f"held up for {held_up:.2f} s, not 0.5")


def say_a_last_line():
    """A connection of which nothing comes through any more is dead, also where nobody has noticed."""
    gateway_site.HOST = "127.0.0.1"
    alive = gateway_faults.Connection(Scene())
    time.sleep(0.3)
    if alive.end() < 1:
        raise RuntimeError("nothing was answered")
    dead = gateway_faults.Connection(Scene())
    time.sleep(0.3)
    subprocess.run(["iptables", "-w", "-A", "INPUT", "-p", "tcp", "-j", "DROP"], check=True)
    try:
        answered = dead.end()
    except RuntimeError:
        return
    raise RuntimeError(f"a connection that is dead has {answered} answers")


def listen_everywhere():
    listens = ("sh", "-c", "echo ready; exec sleep 60")
    with gateway_matrix.Matrix(Scene(Here(*listens), Here(*listens), Here(*listens)))._listening():
        pass
    try:
        with gateway_matrix.Matrix(Scene(Here(*listens), Here("true"), Here(*listens)))._listening():
            pass
    except RuntimeError:
        return
    raise RuntimeError("a listener that did not start is not missed")


def stream_in_both_families():
    """To oneself: what one sends comes back, in each family."""
    end = subprocess.Popen([sys.executable, "-B", FOLDER / "udp_stream.py", "5", "127.0.0.1", "::1"],
                           stdout=subprocess.PIPE, text=True)
    expect("it says", "ready\n", end.stdout.readline())
    time.sleep(0.5)
    end.terminate()
    lanes = gateway_stream.json.loads(end.communicate(timeout=20)[0])
    for family, lane in zip(("IPv4", "IPv6"), lanes, strict=True):
        if not 0 < len(lane["came"]) <= len(lane["sent"]) or [each[0] for each in lane["came"]] != list(range(len(lane["came"]))):
            raise RuntimeError(f"{family}: of {len(lane['sent'])} came {lane['came']}")


CHECKS = {
    "what was sent and never came is lost, also before the first and after the last that came": count_what_was_sent,
    "a direction that is dead at an end is silent there": time_what_was_silent,
    "what the machine was held up is no silence of the gateway's": take_off_what_the_machine_was_held_up,
    "a machine that stands still is noticed by those beside the scene": notice_a_machine_that_stands_still,
    "a connection that is dead and not reset is no connection": say_a_last_line,
    "a listener that does not start fails the matrix": listen_everywhere,
    "datagrams go both ways in IPv4 and IPv6": stream_in_both_families,
}


def main():
    namespaces.enter(str(pathlib.Path(__file__).resolve()))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    print(f"1..{len(CHECKS)}")
    failed = False
    for sentence, check in CHECKS.items():
        try:
            check()
            print(f"ok {sentence}", flush=True)
        except (OSError, RuntimeError, ValueError, subprocess.SubprocessError) as error:
            failed = True
            print(f"not ok {sentence}\n#   {error}", flush=True)
    sys.exit(1 if failed else 0)


main()
