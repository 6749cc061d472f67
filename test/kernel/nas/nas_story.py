"""csi-nas as it is shipped, called by its socket, with servers of NFS that live, die and come back.

    nas_story.py SOURCE_TREE

Runs in the network namespace of the node (test/kernel/nfs_server.sh). Prints a line of TAP for each check.
"""

import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(ROOT / "test/demo"))
import csi_driver  # noqa: E402
import proto  # noqa: E402

import grpc  # noqa: E402

KUBELET = pathlib.Path("/var/lib/kubelet")
DRIVER = "nasplugin.csi.alibabacloud.com"
SERVER, OTHER_SERVER = "10.9.0.1", "10.9.0.2"
EXPORT = pathlib.Path("/srv/share")
LONGEST_CALL = 5.0
LONGEST_NOTICE = 10.0
MANY = "MULTI_NODE_MULTI_WRITER"


class Volume:
    """A static PersistentVolume, and where kubelet would have it."""

    def __init__(self, name, path, vers, server=SERVER, options=None):
        self.name = name
        self.staging = KUBELET / "plugins/kubernetes.io/csi" / DRIVER / name / "globalmount"
        self._attributes = {"server": server, "path": path, "vers": vers}
        if options:
            self._attributes["options"] = options

    def target(self, pod="pod"):
        return KUBELET / "pods" / f"{pod}-{self.name}" / "volumes/kubernetes.io~csi" / self.name / "mount"

    def _use(self, mode):
        return {"accessMode": {"mode": mode}, "mount": {}}

    def stage(self, mode=MANY):
        self.staging.parent.mkdir(parents=True, exist_ok=True)
        return "NodeStageVolume", {"volumeId": self.name, "stagingTargetPath": str(self.staging),
                                   "volumeCapability": self._use(mode), "volumeContext": self._attributes}

    def publish(self, pod="pod", mode=MANY, readonly=False):
        self.target(pod).parent.mkdir(parents=True, exist_ok=True)
        # As kubelet leaves it, so that the driver knows after a start whose mount it is.
        (self.target(pod).parent / "vol_data.json").write_text(
            f'{{"driverName": "{DRIVER}", "volumeHandle": "{self.name}"}}')
        return "NodePublishVolume", {"volumeId": self.name, "stagingTargetPath": str(self.staging),
                                     "targetPath": str(self.target(pod)), "readonly": readonly,
                                     "volumeCapability": self._use(mode), "volumeContext": self._attributes}

    def unpublish(self, pod="pod"):
        return "NodeUnpublishVolume", {"volumeId": self.name, "targetPath": str(self.target(pod))}

    def unstage(self):
        return "NodeUnstageVolume", {"volumeId": self.name, "stagingTargetPath": str(self.staging)}

    def stats(self, pod="pod"):
        return "NodeGetVolumeStats", {"volumeId": self.name, "volumePath": str(self.target(pod))}


class Node:
    """The program, and calls to it."""

    def __init__(self):
        self._messages = proto.compiled(ROOT / "common/csi/proto/csi.proto", "/tmp")
        self._count = 0
        self.slow = []
        self.start()

    def start(self):
        self._count += 1
        endpoint = f"/run/nas-{self._count}.sock"
        self._process = subprocess.Popen(
            [ROOT / "build/bin/csi-nas", "--mode=node", "--node-id=edge-1", f"--endpoint=unix://{endpoint}"],
            stderr=open("/out/csi-nas.log", "ab"))
        deadline = time.monotonic() + 20
        while not os.path.exists(endpoint):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("csi-nas does not start: " + pathlib.Path("/out/csi-nas.log").read_text()[-2000:])
            time.sleep(0.02)
        self._csi = csi_driver.Driver(endpoint, self._messages)

    def kill(self):
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def __call__(self, call, service="Node"):
        """(name of the status, answer), and keeps the time of those that took too long."""
        began = time.monotonic()
        send, message = self._csi._prepared(service, *call)
        try:
            answer = csi_driver.json_format.MessageToDict(send(message, timeout=60))
            status = "OK"
        except grpc.RpcError as error:
            status, answer = error.code().name, error.details()
        took = time.monotonic() - began
        if took > LONGEST_CALL:
            self.slow.append(f"{call[0]} {took:.1f} s")
        return status, answer

    def ok(self, *calls):
        for call in calls:
            status, answer = self(call)
            if status != "OK":
                raise AssertionError(f"{call[0]}: {status}: {answer}")
        return answer

    def refused(self, status, call):
        found, answer = self(call)
        if found != status:
            raise AssertionError(f"{call[0]}: {found}, not {status}: {answer}")

    def open_things(self):
        """How many threads and descriptors it has."""
        folder = pathlib.Path("/proc") / str(self._process.pid)
        return len(list((folder / "task").iterdir())), len(list((folder / "fd").iterdir()))

    def children(self):
        """States of its children, "D" for one that is in the kernel."""
        states = []
        for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                words = path.read_text().rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(words[1]) == self._process.pid:
                states.append(words[0])
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


def packets(action):
    """Those to and from the server: "-A" drops them from now on, "-D" no longer."""
    for chain, side in (("OUTPUT", "-d"), ("INPUT", "-s")):
        subprocess.run(["iptables", "-w", action, chain, side, SERVER, "-j", "DROP"], check=True)


VERSIONS = [Volume(f"pv-{vers}", f"/srv/share/v{vers}/made", vers) for vers in ("3", "4.0", "4.1", "4.2")]
NEIGHBOUR = Volume("pv-neighbour", "/srv/share/v4.1/made", "4.1")  # the same share as another one
ELSEWHERE = Volume("pv-elsewhere", "/srv/share", "3", server=OTHER_SERVER)


def every_version(node):
    for volume in VERSIONS:
        for _ in range(2):
            node.ok(volume.stage(), volume.publish())
        (volume.target() / "file").write_text(volume.name)
    for volume, vers in zip(VERSIONS, ("3", "4.0", "4.1", "4.2")):
        require((EXPORT / f"v{vers}/made/file").read_text() == volume.name, f"the server has no file of {volume.name}")


def one_mount_for_two(node):
    node.ok(NEIGHBOUR.stage(), NEIGHBOUR.publish())
    shared = mounts_below(KUBELET / "plugins" / DRIVER / "shared")
    require(len(shared) == len(VERSIONS), f"{len(shared)} shares are mounted")
    require(os.stat(NEIGHBOUR.target()).st_dev == os.stat(VERSIONS[2].target()).st_dev, "two file systems")
    node.ok(ELSEWHERE.stage(), ELSEWHERE.publish())


def read_only(node):
    volume = VERSIONS[0]
    node.ok(volume.publish("reader", readonly=True))
    try:
        (volume.target("reader") / "file").write_text("")
        raise AssertionError("written")
    except OSError:
        pass
    node.refused("ALREADY_EXISTS", volume.publish("reader"))
    node.ok(volume.unpublish("reader"))


def restarted(node):
    before = mounts_below(KUBELET)
    node.kill()
    node.start()
    require(mounts_below(KUBELET) == before, "the mounts have changed")
    for volume in VERSIONS:
        node.ok(volume.publish())
        node.refused("FAILED_PRECONDITION", volume.unstage())


def refused_kinds(node):
    node.refused("INVALID_ARGUMENT", Volume("pv-bad", "/srv/../etc", "3").stage())
    node.refused("NOT_FOUND", Volume("pv-none", "/none/at/all", "3").stats())
    node.refused("FAILED_PRECONDITION", Volume("pv-none", "/srv/share", "3").publish())


class BlockedWriter:
    """A pod beside, whose fsync waits for the server."""

    def __init__(self, folder):
        self._path = folder / "blocked"
        self.error = None
        self.thread = threading.Thread(target=self._write)

    def _write(self):
        try:
            with open(self._path, "wb") as file:
                file.write(b"x" * (1 << 20))
                os.fsync(file.fileno())
        except OSError as error:
            self.error = error


class Outage:
    """What calls do while the server's packets are dropped."""

    def __init__(self, node):
        self.node = node
        self.writer = BlockedWriter(NEIGHBOUR.target())
        self.most_in_kernel = 0
        self.most_children = 0
        self._watching = True

    def watch(self):
        while self._watching:
            states = self.node.children()
            self.most_children = max(self.most_children, len(states))
            self.most_in_kernel = max(self.most_in_kernel, states.count("D"))
            time.sleep(0.05)

    def stop(self):
        self._watching = False

    def at_once(self):
        """It has just died, and nobody knows: many calls at a time, each of which must end."""
        node = self.node
        fresh = Volume("pv-fresh", "/srv/share", "4.1", options="noresvport,timeo=50")
        refused = [volume.publish("second") for volume in VERSIONS] + [fresh.stage()]
        answers = {}

        def ask(number, call):
            answers[number] = node(call)

        threads = [threading.Thread(target=ask, args=item) for item in enumerate(refused)]
        packets("-A")
        self.writer.thread.start()
        for thread in threads:
            thread.start()
        took = []
        while any(thread.is_alive() for thread in threads):
            began = time.monotonic()
            node.ok(ELSEWHERE.publish("again"), ELSEWHERE.unpublish("again"))
            require(node(("Probe", {}), "Identity")[0] == "OK", "Probe")
            took.append(time.monotonic() - began)
        print(f"# beside the dead server: {len(took)} rounds, the longest {max(took):.2f} s", flush=True)
        require(max(took) < 3, f"a neighbour's calls took {max(took):.2f} s")
        # To show at another place what is known to the kernel needs no server.
        *published, staged = [answers[number][0] for number in range(len(refused))]
        require(staged == "UNAVAILABLE" and set(published) <= {"OK", "UNAVAILABLE"}, f"{sorted(answers.items())}")

    def known_dead(self):
        node = self.node

        def abnormal():
            answer = node.ok(VERSIONS[2].stats())
            require(answer["usage"], "no usage")
            return answer["volumeCondition"].get("abnormal", False)

        within(LONGEST_NOTICE, "the condition is abnormal", abnormal)
        require(not node.ok(ELSEWHERE.stats())["volumeCondition"].get("abnormal"), "the other server's volume is abnormal")
        began = time.monotonic()
        node.refused("UNAVAILABLE", VERSIONS[1].publish("third"))
        require(time.monotonic() - began < 0.5, "a dead server was waited for")
        node.ok(VERSIONS[1].publish(), VERSIONS[1].stage())

    def taken_away(self):
        for volume in VERSIONS:
            self.node.ok(volume.unpublish("second"), volume.unpublish(), volume.unpublish())
            self.node.ok(volume.unstage(), volume.unstage())
        require(self.writer.thread.is_alive(), "the neighbour's fsync has ended without a server")

    def back(self):
        packets("-D")
        self.writer.thread.join(60)
        require(not self.writer.thread.is_alive(), "the neighbour's fsync hangs")
        require(self.writer.error is None, f"the neighbour's fsync: {self.writer.error}")
        require((EXPORT / "v4.1/made/blocked").stat().st_size == 1 << 20, "the server has not got it")

    def normal(self):
        within(LONGEST_NOTICE, "the condition is normal",
               lambda: not self.node.ok(NEIGHBOUR.stats())["volumeCondition"].get("abnormal"))
        volume = VERSIONS[0]
        self.node.ok(volume.stage(), volume.publish())
        require((volume.target() / "file").read_text() == volume.name, "the file has changed")
        self.node.ok(volume.unpublish(), volume.unstage())


def bounded(node, outage):
    require(not node.slow, f"calls took too long: {node.slow}")
    require(outage.most_children > 0, "no child was seen: this check sees nothing")
    require(outage.most_in_kernel <= 1, f"{outage.most_in_kernel} children were in the kernel at a time")
    within(30, "no child is left", lambda: not node.children())


def nothing_left(node):
    for volume in (NEIGHBOUR, ELSEWHERE):
        node.ok(volume.unpublish(), volume.unstage())
    # What was unstaged while the server was dead goes beside the calls.
    within(90, "no mount is left", lambda: not mounts_below(KUBELET))
    require(not list((KUBELET / "plugins" / DRIVER / "shared").iterdir()), "folders of shares are left")


def main():
    node = Node()
    story = Story(node)
    check = story.check
    check("volumes of every version of NFS are staged, in folders that are made", lambda: every_version(node))
    check("two volumes of one share are one mount", lambda: one_mount_for_two(node))
    check("a volume that is published read-only is", lambda: read_only(node))
    check("what cannot be is refused", lambda: refused_kinds(node))
    check("started anew, the driver knows its mounts and leaves them alone", lambda: restarted(node))
    check("usage is told", lambda: [node.ok(volume.stats()) for volume in (*VERSIONS, NEIGHBOUR, ELSEWHERE)])
    before = node.open_things()
    outage = Outage(node)
    watcher = threading.Thread(target=outage.watch)
    watcher.start()
    check("a server dies: each call ends in time, and the neighbours' go on", outage.at_once)
    check("within ten seconds its volumes are abnormal, and nobody waits for it", outage.known_dead)
    check("volumes of a dead server are unpublished and unstaged", outage.taken_away)
    check("when it is back, a neighbour's blocked fsync ends well", outage.back)
    check("within ten seconds its volumes are normal, and can be staged", outage.normal)
    outage.stop()
    watcher.join()
    check("no call took more than five seconds, and one child at most hung", lambda: bounded(node, outage))
    check("nothing is left of what was mounted", lambda: nothing_left(node))
    after = node.open_things()
    print(f"# threads and descriptors: {before} before, {after} after", flush=True)
    check("threads and descriptors are no more than before",
          lambda: require(after[0] <= before[0] + 2 and after[1] <= before[1] + 2, f"{before}, then {after}"))


main()
