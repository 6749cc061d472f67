"""What is measured while servers die: calls that concern none of them, and children that hang."""

import pathlib
import re
import sys
import threading
import time

sys.dont_write_bytecode = True
from nas_node import DRIVER, KUBELET, Volume, mounts_below, require  # noqa: E402


def quantile(seconds, part):
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def told(seconds):
    return f"p50 {1000 * quantile(seconds, 0.5):.1f}, p99 {1000 * quantile(seconds, 0.99):.1f} of {len(seconds)}"


def memory():
    """What is left of it, and how often somebody had to wait for some: both make all calls late that start a program."""
    left = re.search(r"MemAvailable: +(\d+) kB", pathlib.Path("/proc/meminfo").read_text()).group(1)
    stalls = re.findall(r"allocstall\w* (\d+)", pathlib.Path("/proc/vmstat").read_text())
    return f"{int(left) // 1024} MiB left, {sum(map(int, stalls))} waits for it"


class Meter:
    """What calls take that concern a server that lives, and none."""

    def __init__(self, node):
        self.node = node
        self.volume = Volume("pv-1-calm", "/srv/share/calm", "3", "10.9.1.1")
        node.ok(self.volume.stage(), self.volume.publish())

    def rounds(self, seconds):
        taken = {}
        volume = self.volume
        calls = ((("Probe", {}), "Identity"), (volume.publish("again"), "Node"), (volume.stats(), "Node"),
                 (volume.unpublish("again"), "Node"))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for call, service in calls:
                began = time.monotonic()
                status, answer = self.node(call, service)
                taken.setdefault(call[0], []).append(time.monotonic() - began)
                require(status == "OK", f"{call[0]}: {status}: {answer}")
        return taken


class Watcher:
    """Children of the driver's, and which server each that is in the kernel waits for."""

    def __init__(self, node):
        self.node = node
        self.most = {}
        self.seen = 0
        self.pause = 0.25
        self._ends = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self):
        while not self._ends.wait(self.pause):
            waiting = {}
            for pid, state in self.node.child_states():
                self.seen += 1
                if state == "D":
                    server = self._server_of(pid)
                    waiting[server] = waiting.get(server, 0) + (server is not None)
            for server, count in waiting.items():
                self.most[server] = max(self.most.get(server, 0), count)

    @staticmethod
    def _server_of(pid):
        try:
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_text()
        except OSError:
            return None  # it has ended
        found = re.search(r"pv-(\d+)-|10\.9\.1\.(\d+)", words)
        if found:
            return found.group(1) or found.group(2)
        for mount in mounts_below(KUBELET / "plugins" / DRIVER / "shared"):
            if mount[4] in words:
                return re.search(r"10\.9\.1\.(\d+)", " ".join(mount)).group(1)
        return words

    def end(self):
        self._ends.set()
        self.thread.join()
