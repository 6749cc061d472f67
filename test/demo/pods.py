"""Real containers get addresses from our CNI plugin, lose power, and come back with the same addresses.

    pods.py [holdfast|upstream]     upstream: Debian's bridge and host-local instead of our plugin, to compare

The node is a set of namespaces with a folder as its disk. containerd runs in it and is told what to do over CRI,
as a kubelet would. The power cut is SIGKILL to everything on the node at once; its links, its mounts and /run go
with it. Exit status 0: every pod has its address and MAC back, and the pods reach each other.
"""

import collections
import errno
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid

import grpc

import image
import runtime
from report import print_table, step

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "out/demo/pods"
CGROUP = "holdfast-demo"
UPSTREAM_PLUGINS = pathlib.Path("/usr/lib/cni")
BOOT_SECONDS = 30
GATEWAY = "10.244.1.1"  # the node's address on cni0; the subnet is in boot.sh

Pod = collections.namedtuple("Pod", "namespace name uid host_port")
# One pod as it runs: ids of the runtime, and what the container itself sees on its eth0.
Running = collections.namedtuple("Running", "container address mac")


def pods():
    """Four pods in two namespaces; two of them share a name."""
    names = [("plant", "camera-0", 0), ("plant", "store-0", 0), ("shop", "till-0", 8080), ("shop", "store-0", 0)]
    return [Pod(namespace, name, str(uuid.uuid4()), port) for namespace, name, port in names]


class Node:
    """A machine that can lose power: namespaces in which containerd runs, and a disk that outlives them."""

    def __init__(self, plugin):
        self.socket = WORK / "containerd.sock"
        self.disk = WORK / "disk"
        self._process = None
        self._install(plugin)

    def _install(self, plugin):
        binaries = self.disk / "opt/cni/bin"
        binaries.mkdir(parents=True)
        ours = [] if plugin == "upstream" else [ROOT / "build/bin/flannel"]
        for source in ours + [UPSTREAM_PLUGINS / name for name in ("bridge", "host-local", "loopback", "portmap")]:
            shutil.copy(source, binaries)
        configuration = self.disk / "etc-cni/net.d/10-flannel.conflist"
        configuration.parent.mkdir(parents=True)
        configuration.write_text(json.dumps(network(plugin), indent=2))

    def boot(self):
        """Starts the node and returns when its container runtime is ready."""
        self.socket.unlink(missing_ok=True)
        log = open(WORK / "containerd.log", "ab")
        # setpriv: whatever ends this program ends the node.
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=KILL",
             "--mount-proc", "bash", ROOT / "test/demo/boot.sh", self.disk, self.socket],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )
        log.close()
        connection = runtime.Runtime(self.socket, WORK)
        connection.wait_until_ready(BOOT_SECONDS)
        return connection

    def first_process(self):
        """Process 1 of the node, as this machine numbers it; None when it is off."""
        try:
            children = pathlib.Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        except (AttributeError, FileNotFoundError):
            return None
        return int(children[0]) if children else None

    def run(self, *command):
        """Standard output of a command on the node itself."""
        enter = ["nsenter", "--target", str(self.first_process()), "--net", "--mount", "--pid"]
        return subprocess.run(enter + list(command), check=True, capture_output=True, text=True, timeout=20).stdout

    def cut_power(self):
        """Ends every process of the node at the same moment; with the last one its namespaces go."""
        first = self.first_process()
        if first is not None:
            os.kill(first, signal.SIGKILL)
        if self._process is not None:
            self._process.wait(timeout=20)
            self._process = None


def network(plugin):
    """The network configuration list, as flannel's manifest installs it."""
    if plugin == "upstream":
        first = {
            "type": "bridge", "bridge": "cni0", "mtu": 1450, "hairpinMode": True, "isDefaultGateway": True,
            "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.1.0/24"}]]},
        }
    else:
        first = {"type": "flannel", "delegate": {"hairpinMode": True, "isDefaultGateway": True}}
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"name": "cbr0", "cniVersion": "1.0.0", "plugins": [first, portmap]}


def import_image(node):
    archive = WORK / "image.tar"
    image.write(archive)
    subprocess.run(
        ["ctr", "--address", node.socket, "--namespace", "k8s.io", "images", "import", "--snapshotter", "native", archive],
        check=True, stdout=subprocess.DEVNULL, timeout=60,
    )


def start(cri, pod, attempt):
    """Starts a pod with one container, and asks the container for its address."""
    config = cri.sandbox_config(pod, attempt, f"/{CGROUP}")
    sandbox = cri.run_sandbox(config)
    command = ["/bin/sh", "-c", "hostname >/tmp/index.html; exec httpd -f -p 80 -h /tmp"]
    container = cri.start_container(sandbox, config, image.NAME, command)
    shown = cri.run_in(container, "ip", "addr", "show", "dev", "eth0")
    address = re.search(r"inet ([0-9.]+)/", shown).group(1)
    mac = re.search(r"link/ether ([0-9a-f:]+)", shown).group(1)
    told = cri.sandbox_address(sandbox)
    if told != address:
        raise RuntimeError(f"the runtime was told {told}, the container of {pod.name} has {address}")
    return Running(container, address, mac)


def restart(cri, pod):
    """What a kubelet does after a reboot: clears away the pod's dead sandbox, and makes the next one."""
    dead = [(sandbox, attempt) for sandbox, key, attempt in cri.sandboxes() if key == (pod.namespace, pod.name)]
    for sandbox, _ in dead:
        cri.stop_sandbox(sandbox)
    running = start(cri, pod, 1 + max(attempt for _, attempt in dead))
    for sandbox, _ in dead:
        cri.remove_sandbox(sandbox)
    return running


def check_traffic(cri, node, running):
    """Every pod pings the next one, and a port of the node leads to its pod."""
    ring = list(running.items())
    for (pod, own), (_, other) in zip(ring, ring[1:] + ring[:1]):
        cri.run_in(own.container, "ping", "-c", "1", "-W", "2", other.address)
    print(f"   every pod reaches the next one ({len(ring)} pings)")
    for pod in running:
        if pod.host_port:
            answer = node.run("busybox", "wget", "-q", "-O", "-", f"http://{GATEWAY}:{pod.host_port}/").strip()
            if answer != pod.name:
                raise RuntimeError(f"port {pod.host_port} of the node leads to '{answer}', not to {pod.name}")
            print(f"   port {pod.host_port} of the node leads to {pod.namespace}/{pod.name}")


def print_pods(running, before=None):
    """Prints the pods in the order they were started; returns how many addresses or MACs moved."""
    heads = ["POD", "CONTAINER", "ADDRESS", "MAC"] + (["KEPT"] if before else [])
    rows, moved = [], 0
    for pod, now in running.items():
        row = [f"{pod.namespace}/{pod.name}", now.container[:12], now.address, now.mac]
        if before:
            kept = (now.address, now.mac) == (before[pod].address, before[pod].mac)
            moved += not kept
            row.append("yes" if kept else f"NO, had {before[pod].address}")
        rows.append(row)
    print_table(heads, rows)
    return moved


def remove_cgroups():
    """Control groups that the runtime made for the pods: nobody else removes them once it was killed."""
    root = pathlib.Path("/sys/fs/cgroup")
    for top in [*root.glob(CGROUP), *root.glob(f"*/{CGROUP}")]:
        for folder, _, _ in os.walk(top, topdown=False):
            remove_cgroup(folder)


def remove_cgroup(folder, tries=100):
    """A group is busy until the last process that was killed in it has been reaped."""
    for _ in range(tries):
        try:
            return os.rmdir(folder)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            time.sleep(0.05)
    raise TimeoutError(f"control group {folder} stays busy")


def clean_up(node):
    """Leaves nothing but containerd's messages; a second Ctrl-C does not break it off."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if node is not None:
        node.cut_power()
    remove_cgroups()
    for name in ("disk", "image.tar", "containerd.sock", "containerd.sock.ttrpc", "cri_pb2.py", "__pycache__"):
        path = WORK / name
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def show(node):
    """The demo itself; returns how many pods moved."""
    everyone = pods()
    step("a node boots: containerd, runc and our CNI plugin, in namespaces of their own")
    cri = node.boot()
    import_image(node)
    step("it starts four pods")
    before = {pod: start(cri, pod, 0) for pod in everyone}
    print_pods(before)
    check_traffic(cri, node, before)
    cri.close()

    step("POWER CUT: every process is killed, the namespaces, links and /run are gone")
    node.cut_power()
    remove_cgroups()

    step("the node boots again, and starts the pods in another order")
    cri = node.boot()
    after = {pod: restart(cri, pod) for pod in reversed(everyone)}
    moved = print_pods(after, before)
    check_traffic(cri, node, after)
    cri.close()
    return moved


def stop_by_exception(*_):
    raise KeyboardInterrupt


def main():
    plugin = sys.argv[1] if len(sys.argv) > 1 else "holdfast"
    if plugin not in ("holdfast", "upstream"):
        sys.exit(f"demo: '{plugin}' is neither holdfast nor upstream")
    WORK.mkdir(parents=True, exist_ok=True)
    clean_up(None)  # what an earlier run left that was killed
    (WORK / "containerd.log").unlink(missing_ok=True)
    signal.signal(signal.SIGINT, stop_by_exception)
    signal.signal(signal.SIGTERM, stop_by_exception)
    node, moved = None, None
    try:
        node = Node(plugin)
        moved = show(node)
    except KeyboardInterrupt:
        print("\ndemo: interrupted", file=sys.stderr)
    except (OSError, RuntimeError, subprocess.SubprocessError, grpc.RpcError) as error:
        print(f"demo: {error.details() if isinstance(error, grpc.RpcError) else error}", file=sys.stderr)
        print("demo: containerd's messages are in out/demo/pods/containerd.log", file=sys.stderr)
    finally:
        clean_up(node)
    if moved is None:
        sys.exit(1)
    print(f"{moved} of 4 pods MOVED" if moved else "all pods kept their addresses")
    sys.exit(1 if moved else 0)


main()
