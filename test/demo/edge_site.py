"""A site: edge nodes on one LAN, each in namespaces of its own, with a disk that outlives its power."""

import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARIES = pathlib.Path(os.environ.get("HOLDFAST_BIN", ROOT / "build/bin"))
COMMAND_SECONDS = 20
PING_SECONDS = 0.02


class Site:
    """The LAN, which is a bridge in this process' own network namespace, and the documents that all nodes watch.
    Networks are of IPv4, and with `ipv6` of both families. `lan`: False when another Site has made it, whose nodes hear
    nothing of these."""

    def __init__(self, folder, ipv6=False, lan=True):
        self.folder = folder
        self.ipv6 = ipv6
        self.documents = folder / "nodes"
        self.documents.mkdir(parents=True)
        network = {"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}}
        if ipv6:
            network |= {"EnableIPv6": True, "IPv6Network": "fd00:244::/48"}
        (folder / "net-conf.json").write_text(json.dumps(network))
        if lan:
            run("ip", "link", "add", "lan", "type", "bridge")
            run("ip", "link", "set", "lan", "up")

    def publish(self, node):
        """The document that tells the others of a node; replaced as a whole."""
        flannel = {"publicIP": node.address, "podCIDRs": node.pod_cidrs()}
        if self.ipv6:
            flannel["publicIPv6"] = node.address6
        document = {
            "apiVersion": "net.holdfast.dev/v1alpha1", "kind": "NodeNetworkConfiguration", "metadata": {"name": node.name},
            "spec": {"flannel": flannel},
        }
        new = self.documents / f".{node.name}"
        new.write_text(json.dumps(document, indent=2))
        new.rename(self.documents / f"{node.name}.json")


class Machine:
    """Namespaces of their own, and a folder as their disk."""

    def __init__(self, site, name):
        self.site = site
        self.name = name
        self.disk = site.folder / name
        self._holder = None

    def boot(self):
        self.disk.mkdir(exist_ok=True)
        self._holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", "bash",
             ROOT / "test/demo/edge_node.sh", self.disk],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if self._holder.stdout.readline().strip() != "booted":
            raise RuntimeError(f"{self.name} does not boot")

    def plug(self, bridge, port, link, address, *more):
        """A cable from our `link`, of this address, to the switch `bridge`, where its end is called `port`."""
        run("ip", "link", "add", port, "type", "veth", "peer", "name", link, *more, "netns", str(self._first_process()))
        run("ip", "link", "set", port, "master", bridge, "up")
        self.run("ip", "address", "add", address, "dev", link)
        self.run("ip", "link", "set", link, "up")

    def add_address6(self, link, address):
        """Of IPv6, usable at once."""
        self.run("ip", "address", "add", address, "dev", link, "nodad")

    def run(self, *command):
        """Standard output of a command on the machine."""
        return run(*self._inside(*command))

    def spawn(self, *command, **options):
        """Starts a command on the machine that takes signals itself: not behind a process of nsenter's."""
        return subprocess.Popen([word for word in self._inside(*command) if word != "--pid"],
                                **{"stdin": subprocess.DEVNULL, **options})

    def start(self, *command, **options):
        """Starts a program that is one of the machine's own: it ends with it, and finds itself in /proc. What the
        program starts ends with it, as in a container, when it is behind CONTAINER."""
        return Program(subprocess.Popen(self._inside(*command), stdin=subprocess.DEVNULL, **options))

    def wait_until(self, holds, complaint, seconds=30):
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                raise RuntimeError(f"{self.name}: {complaint} after {seconds} s; see {self.name}.log")
            time.sleep(0.005)

    def _first_process(self):
        return _children(self._holder.pid)[0]

    def _inside(self, *command):
        return ["nsenter", "--target", str(self._first_process()), "--net", "--mount", "--pid", *command]


CONTAINER = ("unshare", "--pid", "--fork", "--kill-child=KILL", "--mount-proc")
LAUNCHERS = {"nsenter", "unshare", "ip", "env"}  # those that become the program, or start it and wait


class Program:
    """What nsenter has started; signals go to it, and not to who waits for it."""

    def __init__(self, nsenter):
        self._nsenter = nsenter
        self._pid = nsenter.pid
        end = time.monotonic() + COMMAND_SECONDS
        # nsenter itself may still bear the name of who started it
        while nsenter.poll() is None and (self._pid == nsenter.pid or _name(self._pid) in LAUNCHERS):
            self._pid = next(iter(_children(self._pid)), self._pid)
            if time.monotonic() > end:
                raise RuntimeError(f"{nsenter.args[-1]} does not start")
            time.sleep(0.001)

    @property
    def pid(self):
        """As this process sees it."""
        return self._pid

    def _send(self, number):
        if self._nsenter.poll() is None:
            os.kill(self._pid, number)

    def kill(self):
        self._send(signal.SIGKILL)
        self.wait()

    def terminate(self):
        self._send(signal.SIGTERM)
        self.wait()

    def wait(self):
        self._nsenter.wait(timeout=COMMAND_SECONDS)


def _name(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _children(pid):
    try:
        return [int(word) for word in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


class Node(Machine):
    """A machine on the LAN that runs flanneld and our CNI plugin, and can lose power."""

    def __init__(self, site, number):
        super().__init__(site, f"edge-{number}")
        self.number = number
        self.address = f"192.168.77.{number}"
        self.mac = f"02:00:00:00:77:{number:02x}"  # a network card has one of its own
        self.pod_cidr = f"10.244.{number}.0/24"
        self.address6 = f"fd00:77::{number}"
        self.programs = BINARIES
        self._daemon = None
        self._sandboxes = {}  # of pods: what their runtime calls them

    def boot(self):
        super().boot()
        self.plug("lan", self.port(), "eth0", f"{self.address}/24", "address", self.mac)
        self.run("ip", "route", "add", "default", "via", "192.168.77.254")
        if self.site.ipv6:
            self.add_address6("eth0", f"{self.address6}/64")

    def pod_cidrs(self):
        return [self.pod_cidr, *([f"fd00:244:0:{self.number}::/64"] if self.site.ipv6 else [])]

    def cut_power(self):
        """Ends every process of the node at the same moment; its namespaces, links and /run go with the last one."""
        os.kill(self._first_process(), signal.SIGKILL)
        self._holder.wait(timeout=COMMAND_SECONDS)
        self._daemon.wait(timeout=COMMAND_SECONDS)
        self.wait_until(lambda: self.port() not in run("ip", "-o", "link", "show", "type", "veth"), "its link stays up")

    def start_daemon(self):
        """Starts flanneld; returns how long it took until it was ready, in seconds."""
        began = time.monotonic()
        with open(self.site.folder / f"{self.name}.log", "ab") as log:
            self._daemon = subprocess.Popen(self._inside(
                self.programs / "flanneld", *self._lease_source(), "--network-drop-ins=false", f"--node-name={self.name}",
                f"--net-config-path={self.site.folder}/net-conf.json", "--ip-masq", "--iface=eth0", "--healthz-ip=127.0.0.1",
                "--healthz-port=8081"), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.wait_until(self._is_ready, "flanneld is not ready")
        return time.monotonic() - began

    def _lease_source(self):
        """flanneld's flags that tell who knows the nodes."""
        return ["--source=dir", f"--config-dir={self.site.documents}"]

    def kill_daemon(self, signal_name="KILL"):
        self.run("busybox", "killall", f"-{signal_name}", "flanneld")
        self._daemon.wait(timeout=COMMAND_SECONDS)

    def start_pod(self, name):
        """What a runtime does: a namespace, and ADD. Returns the pod's address, of IPv4."""
        return self.start_dual_pod(name)[0]

    def start_dual_pod(self, name):
        """The same; returns its address of each family."""
        self.run("ip", "netns", "add", name)
        self._sandboxes[name] = f"{name}-{os.urandom(4).hex()}"
        result = json.loads(self._cni("ADD", name))
        self.run("ip", "netns", "exec", name, "ip", "link", "set", "lo", "up")
        return [each["address"].split("/")[0] for each in result["ips"]]

    def end_pod(self, name):
        """DEL, and the namespace goes; one of another name has other addresses."""
        self._cni("DEL", name)
        self.run("ip", "netns", "delete", name)

    def vtep_mac(self):
        return json.loads(self.run("ip", "-j", "link", "show", "flannel.1"))[0]["address"]

    def change_address(self, address):
        """As a DHCP server does that has forgotten the node."""
        self.run("ip", "address", "delete", f"{self.address}/24", "dev", "eth0")
        self.run("ip", "address", "add", f"{address}/24", "dev", "eth0")
        self.run("ip", "route", "replace", "default", "via", "192.168.77.254")
        self.address = address

    def _is_ready(self):
        return self.answers("http://127.0.0.1:8081/readyz")

    def answers(self, page):
        """Whether a program here answers with status 200."""
        answer = subprocess.run(self._inside("busybox", "wget", "-q", "-O", "-", page), capture_output=True,
                                timeout=COMMAND_SECONDS)
        return answer.returncode == 0

    def _cni(self, verb, pod):
        network = {"cniVersion": "1.0.0", "name": "cbr0", "type": "flannel",
                   "delegate": {"hairpinMode": True, "isDefaultGateway": True}}
        environment = {
            "CNI_COMMAND": verb, "CNI_CONTAINERID": self._sandboxes[pod], "CNI_NETNS": f"/run/netns/{pod}",
            "CNI_IFNAME": "eth0", "CNI_PATH": f"{BINARIES}:/usr/lib/cni", "PATH": os.environ["PATH"],
            "CNI_ARGS": f"K8S_POD_NAMESPACE=shop;K8S_POD_NAME={pod};K8S_POD_UID={pod}",
        }
        done = subprocess.run(self._inside(BINARIES / "flannel"), input=json.dumps(network), env=environment,
                              capture_output=True, text=True, timeout=COMMAND_SECONDS)
        if done.returncode != 0:
            raise RuntimeError(f"CNI {verb} of {pod} on {self.name}: {done.stdout or done.stderr}")
        return done.stdout

    def port(self):
        """The node's end of the cable in the LAN's switch."""
        return f"port{self.number}"


class Pinger:
    """Pings from a pod, every `seconds`, until asked what came of it."""

    def __init__(self, node, pod, address, seconds=PING_SECONDS):
        self._seconds = seconds
        self._output = tempfile.TemporaryFile("w+")  # a pipe that nobody reads would stop it when it is full
        self._process = node.spawn("ip", "netns", "exec", pod, "ping", "-n", "-D", "-i", str(seconds), address,
                                   stdout=self._output, stderr=subprocess.STDOUT)
        self._started = time.monotonic()
        time.sleep(0.3)
        self.began = time.time()

    def result(self):
        elapsed = time.monotonic() - self._started
        self._process.send_signal(signal.SIGINT)
        self._process.wait(timeout=COMMAND_SECONDS)
        self._output.seek(0)
        text = self._output.read()
        replies = {int(sequence): float(at) for at, sequence in
                   re.findall(r"^\[([0-9.]+)\] \d+ bytes from .* icmp_seq=(\d+)", text, re.MULTILINE)}
        sent = int(re.search(r"(\d+) packets transmitted", text).group(1))
        return Pings(sent, replies, self._seconds, elapsed)


class Pings:
    """`replies`: when each answered ping was answered, seconds since 1970, by its number, which begins at 1."""

    def __init__(self, sent, replies, seconds, elapsed):
        self.sent = sent
        self.replies = replies
        self._seconds = seconds
        self._elapsed = elapsed

    @property
    def lost(self):
        """Those not answered; the last one may still be under way."""
        return sum(1 for number in range(1, self.sent) if number not in self.replies)

    def judged(self):
        """The numbers of those that are older than a second: a busy machine may owe the answers of the others."""
        return range(1, self.sent - round(self.sent / self._elapsed))

    def silence(self):
        """The longest time without an answer, in seconds, beyond what lies between two pings; 0 when none was lost."""
        if not self.lost:
            return 0.0
        times = sorted(self.replies.values())
        return max((later - earlier for earlier, later in zip(times, times[1:])), default=0.0) - self._seconds

    def answered_at_the_end(self):
        return any(number in self.replies for number in range(max(1, self.sent - 10), self.sent + 1))


def run(*command):
    done = subprocess.run(list(command), capture_output=True, text=True, timeout=COMMAND_SECONDS)
    if done.returncode != 0:
        words = " ".join(str(word) for word in command)
        raise RuntimeError(f"{words}: {done.stderr.strip() or done.stdout.strip() or done.returncode}")
    return done.stdout
