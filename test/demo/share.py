"""Two pods on two nodes use one share of an NFS server, which loses its power and comes back.

    share.py

Server and nodes are guests, each with a kernel of its own, on one LAN. csi-nas makes the volume, on one of the nodes, and
mounts it on both. Exit status 0: no write failed, and both pods see the same.
"""

import concurrent.futures
import pathlib
import shutil
import subprocess
import sys
import threading

import guest
import namespaces
import proto
from report import print_table, step
from storage import PHASE_SECONDS, Row, make_disks

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "out/demo/share"
SERVER, NODES = 1, (2, 3)  # their places on the LAN


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def make_network():
    ip("link", "add", "lan", "type", "bridge")
    ip("link", "set", "lan", "up")
    for place in (SERVER, *NODES):
        ip("tuntap", "add", "dev", f"tap{place}", "mode", "tap")
        ip("link", "set", f"tap{place}", "master", "lan", "up")


def plug(place):
    """What a guest's kernel is told of its place on the LAN."""
    return f"vec0:transport=tap,ifname=tap{place},depth=128,gro=1,mac=02:aa:00:00:00:{place:02x}"


class Site:
    def __init__(self):
        make_network()
        self._disk = make_disks(WORK, {"system": 128 << 20})["system"]
        self._server = guest.Guest(WORK / "server", "nas")
        self._nodes = [guest.Guest(WORK / f"shop-{number}", f"shop-{number}") for number in (1, 2)]
        # Its threads live as long as it does: a guest ends with the thread that started it.
        self._together = concurrent.futures.ThreadPoolExecutor()
        self._printing = threading.Lock()
        self._back = None
        self.rows = []

    def note(self, *cells):
        with self._printing:
            self.rows.append(Row(*cells))
            print(f"   {cells[0]}: {cells[2]}", flush=True)

    def boot_server(self):
        seconds = self._server.boot([self._disk], [plug(SERVER)])
        self._server.run(f"exec bash {ROOT}/test/demo/share_server.sh", PHASE_SECONDS)
        return seconds

    def boot_all(self):
        server = self._together.submit(self.boot_server)
        nodes = [self._together.submit(node.boot, [], [plug(place)]) for node, place in zip(self._nodes, NODES)]
        self.note("boot", f"{max(each.result() for each in (server, *nodes)):.3f}", "an NFS server, two nodes")
        for node in self._nodes:
            proto.compile_to(ROOT / "common/csi/proto/csi.proto", node.folder)

    def run_phase(self, phase, numbers):
        """On the nodes of those numbers at once."""
        told = {"made": self.carry_volume, "cut": self.cut_server, "return": self.start_server}

        def take(line):
            cells = line.split("\t")
            if line in told:
                told[line]()
            elif len(cells) == 3:
                self.note(*cells)
            else:
                print(line, file=sys.stderr)

        here = pathlib.Path(__file__).parent
        running = [self._together.submit(self._nodes[number - 1].run,
                                         f"exec /usr/bin/python3 -B {here}/share_node.py {phase} {number} {ROOT}",
                                         PHASE_SECONDS, take) for number in numbers]
        for each in running:
            each.result()

    def carry_volume(self):
        """From the node that made it to the other, as the API server would."""
        made, wanted = (node.folder / "volume.json" for node in self._nodes)
        shutil.copy(made, wanted.with_suffix(".part"))
        wanted.with_suffix(".part").rename(wanted)

    def cut_server(self):
        step("the server's power is cut")
        self._server.cut_power()

    def start_server(self):
        """Beside what the nodes do."""
        def back():
            self.note("the server boots", f"{self.boot_server():.3f}", "from its disk")

        self._back = self._together.submit(back)

    def server_is_back(self):
        self._back.result()

    def end(self):
        for each in (self._server, *self._nodes):
            each.cut_power()


def show(site):
    step("an NFS server and two nodes boot; a pod on each node uses one volume")
    site.boot_all()
    site.run_phase("before", (1, 2))
    site.run_phase("outage", (1,))
    site.server_is_back()
    site.run_phase("read", (2,))
    print_table(["STEP", "SECONDS", "WHAT CAME OF IT"], [list(row) for row in site.rows])


def main():
    namespaces.enter(__file__)
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    site = Site()
    try:
        show(site)
    except RuntimeError as error:
        print(f"FAILED: {error}; what the programs said is in {WORK}", file=sys.stderr)
        return 1
    finally:
        site.end()
    print("   a dead server cost its volume time and nothing else: 0 writes failed, 0 pods were started again")
    return 0


if __name__ == "__main__":
    sys.exit(main())
