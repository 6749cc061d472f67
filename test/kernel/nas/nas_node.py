"""csi-nas as it is shipped, as kubelet has it: volumes, calls by its socket, and what is mounted. For scripts that run in
the network namespace of the node (test/kernel/nfs_server.sh)."""

import os
import pathlib
import shlex
import signal
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "test/demo"))
import csi_driver  # noqa: E402
import proto  # noqa: E402

import grpc  # noqa: E402

KUBELET = pathlib.Path("/var/lib/kubelet")
DRIVER = "nasplugin.csi.alibabacloud.com"
LONGEST_CALL = 5.0
LONGEST_NOTICE = 10.0
MANY = "MULTI_NODE_MULTI_WRITER"


class Volume:
    """A static PersistentVolume, and where kubelet would have it."""

    def __init__(self, name, path, vers, server, options=None):
        self.name = name
        self.handle = name
        self.staging = KUBELET / "plugins/kubernetes.io/csi" / DRIVER / name / "globalmount"
        self._attributes = {"server": server, "path": path, "vers": vers}
        if options:
            self._attributes["options"] = options

    @classmethod
    def made(cls, name, volume):
        """One that CreateVolume has answered."""
        out = cls(name, "", "", "")
        out.handle = volume["volumeId"]
        out._attributes = volume["volumeContext"]
        return out

    def target(self, pod="pod"):
        return KUBELET / "pods" / f"{pod}-{self.name}" / "volumes/kubernetes.io~csi" / self.name / "mount"

    def _use(self, mode):
        return {"accessMode": {"mode": mode}, "mount": {}}

    def _note(self, folder):
        """As kubelet leaves it beside a mount, so that the driver knows after a start whose it is."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "vol_data.json").write_text(f'{{"driverName": "{DRIVER}", "volumeHandle": "{self.handle}"}}')

    def stage(self, mode=MANY):
        self._note(self.staging.parent)
        return "NodeStageVolume", {"volumeId": self.handle, "stagingTargetPath": str(self.staging),
                                   "volumeCapability": self._use(mode), "volumeContext": self._attributes}

    def publish(self, pod="pod", mode=MANY, readonly=False):
        self._note(self.target(pod).parent)
        return "NodePublishVolume", {"volumeId": self.handle, "stagingTargetPath": str(self.staging),
                                     "targetPath": str(self.target(pod)), "readonly": readonly,
                                     "volumeCapability": self._use(mode), "volumeContext": self._attributes}

    def unpublish(self, pod="pod"):
        return "NodeUnpublishVolume", {"volumeId": self.handle, "targetPath": str(self.target(pod))}

    def unstage(self):
        return "NodeUnstageVolume", {"volumeId": self.handle, "stagingTargetPath": str(self.staging)}

    def stats(self, pod="pod"):
        return "NodeGetVolumeStats", {"volumeId": self.handle, "volumePath": str(self.target(pod))}


class Shell:
    """One that is started once: a process that is forked off this one while a thread writes to a dead server closes that file,
    too, and waits for the server, before it can do anything."""

    def __init__(self):
        self._process = subprocess.Popen(["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self._lock = threading.Lock()

    def line(self, command):
        """Runs it. The line that it prints."""
        with self._lock:
            print(command, file=self._process.stdin)
            return self._process.stdout.readline().rstrip("\n")


class Node:
    """The program, and calls to it."""

    def __init__(self, mode="node", *arguments, program="csi-nas", endpoint=None, via=()):
        """`endpoint`: the socket that the program has by itself, which has no modes then; else it is told one. `via`: what
        becomes the program, as nsenter does."""
        self._mode = mode
        self._arguments = arguments
        self._program, self._endpoint, self._via = program, endpoint, via
        self._shell = Shell()
        self._messages = proto.compiled(ROOT / "common/csi/proto/csi.proto", "/tmp")
        self._count = 0
        self.slow = []
        self.longest = 0.0
        self.start()

    def start(self):
        self._count += 1
        endpoint = self._endpoint or f"/run/nas-{self._mode}-{self._count}.sock"
        words = [] if self._endpoint else [f"--mode={self._mode}", f"--endpoint=unix://{endpoint}"]
        command = [*self._via, ROOT / "build/bin" / self._program, *words, "--node-id=edge-1", *self._arguments]
        self._pid = int(self._shell.line(f"{shlex.join(map(str, command))} </dev/null >>/out/csi-nas.log 2>&1 & echo $!"))
        deadline = time.monotonic() + 20
        while not os.path.exists(endpoint):
            if not self._lives() or time.monotonic() > deadline:
                raise RuntimeError("csi-nas does not start: " + pathlib.Path("/out/csi-nas.log").read_text()[-2000:])
            time.sleep(0.02)
        self._csi = csi_driver.Driver(endpoint, self._messages)

    def kill(self):
        os.kill(self._pid, signal.SIGKILL)
        within(LONGEST_CALL, "the program ends", lambda: not self._lives())

    def _lives(self):
        try:
            return pathlib.Path(f"/proc/{self._pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
        except (FileNotFoundError, ProcessLookupError):
            return False

    def __call__(self, call, service=None):
        """(name of the status, answer), and keeps the time of those that took too long."""
        began = time.monotonic()
        service = service or ("Node" if call[0].startswith("Node") else "Controller")
        send, message = self._csi._prepared(service, *call)
        try:
            answer = csi_driver.json_format.MessageToDict(send(message, timeout=60))
            status = "OK"
        except grpc.RpcError as error:
            status, answer = error.code().name, error.details()
        took = time.monotonic() - began
        self.longest = max(self.longest, took)
        if took > LONGEST_CALL:
            self.slow.append(f"{call[0]} {took:.1f} s")
        return status, answer

    def ok(self, *calls):
        for call in calls:
            status, answer = self(call)
            if status != "OK":
                raise AssertionError(f"{call[0]}: {status}: {answer}")
        return answer

    def in_the_end(self, call, seconds=30):
        """The answer, however often it must be asked for, and what was said meanwhile."""
        deadline, told = time.monotonic() + seconds, []
        while True:
            status, answer = self(call)
            if status == "OK":
                return answer, told
            told.append(f"{status}: {answer}")
            if status not in ("ABORTED", "UNAVAILABLE") or time.monotonic() > deadline:
                raise AssertionError(f"{call[0]}: {told}")
            time.sleep(0.1)

    def refused(self, status, call):
        found, answer = self(call)
        if found != status:
            raise AssertionError(f"{call[0]}: {found}, not {status}: {answer}")

    def pid(self):
        return self._pid

    def open_things(self):
        """How many threads and descriptors it has."""
        folder = pathlib.Path("/proc") / str(self._pid)
        return len(list((folder / "task").iterdir())), len(list((folder / "fd").iterdir()))

    def children(self):
        """States of its children, "D" for one that is in the kernel."""
        return [state for _, state in self.child_states()]

    def child_states(self):
        """The same with their ids."""
        states = []
        for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                words = path.read_text().rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(words[1]) == self._pid:
                states.append((int(path.parent.name), words[0]))
        return states


class Story:
    def __init__(self, node):
        self.node = node
        self.failed = False

    def check(self, name, step):
        try:
            step()
            print(f"ok {name}", flush=True)
        except Exception as error:  # whatever it was, it is a check that failed
            self.failed = True
            print(f"not ok {name}\n#   {type(error).__name__}: {error}", flush=True)


def mounts_below(folder):
    lines = (line.split(" ") for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines())
    return [words for words in lines if words[4].startswith(str(folder))]


def require(holds, what):
    if not holds:
        raise AssertionError(what)


def within(seconds, what, holds):
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.1)


class Packets:
    """Drops those to and from servers."""

    def __init__(self):
        self._shell = Shell()

    def drop(self, server):
        self._change("-A", server)

    def let_through(self, server):
        self._change("-D", server)

    def _change(self, action, server):
        rules = (f"iptables -w {action} {chain} {side} {server} -j DROP" for chain, side in (("OUTPUT", "-d"), ("INPUT", "-s")))
        require(self._shell.line(" && ".join(rules) + "; echo $?") == "0", f"iptables {action} {server} failed")
