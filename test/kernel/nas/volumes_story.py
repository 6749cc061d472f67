"""Volumes by StorageClasses, on servers of NFS that live, die and come back: csi-nas as it is shipped makes, copies and
deletes them.

    volumes_story.py

Runs in the network namespace of the node (test/kernel/nfs_server.sh). Prints a line of TAP for each check.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import sys
import threading
import time

sys.dont_write_bytecode = True
from nas_node import DRIVER, KUBELET, LONGEST_NOTICE, Node, Packets, Story, Volume, mounts_below, require, within  # noqa: E402

SERVER, OTHER_SERVER, NO_SERVER = "10.9.0.1", "10.9.0.2", "10.9.0.77"
EXPORT, CLONES = pathlib.Path("/srv/share"), pathlib.Path("/srv/clones")
STATE = pathlib.Path("/var/lib/holdfast/csi") / DRIVER
CLASS = {"server": f"{SERVER}:/srv/share", "onDelete": "delete"}
FILES = 200  # a second's work to copy or to remove
MANY = [{"accessMode": {"mode": "MULTI_NODE_MULTI_WRITER"}, "mount": {}}]


def create(name, parameters, source=None):
    request = {"name": name, "capacityRange": {"requiredBytes": str(1 << 30)}, "parameters": parameters,
               "volumeCapabilities": MANY}
    return "CreateVolume", {**request, "volumeContentSource": source} if source else request


def delete(volume):
    return "DeleteVolume", {"volumeId": volume["volumeId"]}


def snapshot(name, volume):
    return "CreateSnapshot", {"name": name, "sourceVolumeId": volume["volumeId"]}


def of_volume(volume):
    return {"volume": {"volumeId": volume["volumeId"]}}


def of_snapshot(taken):
    return {"snapshot": {"snapshotId": taken["snapshotId"]}}


def make(node, name, parameters, source=None):
    return node.in_the_end(create(name, parameters, source))[0]["volume"]


def plant(folder, files=FILES):
    for number in range(files):
        path = folder / f"d{number % 10}" / f"f{number}"
        path.parent.mkdir(exist_ok=True)
        path.write_text(str(number))
    (folder / "link").symlink_to("/etc/passwd")
    os.chmod(folder / "d1", 0o2750)


def content(folder):
    """Every name below a folder with what it is."""
    out = {}
    for path in sorted(folder.rglob("*")):
        kind = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else ""
        out[str(path.relative_to(folder))] = (path.lstat().st_mode, kind)
    return out


def workers():
    """Processes that work on directories, of this driver or the one before: all are younger than this one, and to look at
    others would take longer than they live."""
    found = []
    for process in (int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) > os.getpid()):
        try:
            if pathlib.Path(f"/proc/{process}/comm").read_text() == "nas-directories\n":
                found.append(process)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


class Calling:
    """A call that is under way."""

    def __init__(self, node, call):
        self._answer = None
        self._thread = threading.Thread(target=lambda: setattr(self, "_answer", node(call)))
        self._thread.start()

    def worker(self):
        """The process that works for it; None when it has ended before one was seen."""
        while self._thread.is_alive():
            if found := workers():
                return found[0]
            time.sleep(0.002)
        return None

    def answer(self):
        self._thread.join()
        return self._answer


def by_template(node):
    names = {"csi.storage.k8s.io/pvc/name": "data", "csi.storage.k8s.io/pvc/namespace": "team"}
    told = {**CLASS, "subDir": "${pvc.metadata.namespace}/${pvc.metadata.name}", "mode": "0770", **names}
    made = make(node, "pvc-1", told)
    require((EXPORT / "team/data").stat().st_mode & 0o7777 == 0o770, "the mode")
    volume = Volume.made("pvc-1", made)
    for _ in range(2):
        node.ok(volume.stage(), volume.publish())
    (volume.target() / "file").write_text("data")
    require((EXPORT / "team/data/file").read_text() == "data", "the pod's file is elsewhere")
    node.refused("ALREADY_EXISTS", create("pvc-2", told))
    node.ok(volume.unpublish(), volume.unstage())
    node.in_the_end(delete(made))
    require(not (EXPORT / "team/data").exists() and (EXPORT / "team").exists(), "what is left")


def in_turn(node):
    three = {**CLASS, "server": f"{SERVER}:/srv/share/one,{NO_SERVER}:/x,{OTHER_SERVER}:/srv/share/two"}
    tries = [node.in_the_end(create(f"turn-{number}", three)) for number in range(4)]
    require(sum(len(told) for _, told in tries) == 1, f"the dead server was tried more than once: {[t[1] for t in tries]}")
    shares = [len(list((EXPORT / name).glob("turn-*"))) for name in ("one", "two")]
    require(min(shares) >= 1 and sum(shares) == 4, f"volumes of each share: {shares}")
    listed = node.ok(("ListVolumes", {}))["entries"]
    require(len(listed) == 4, f"{len(listed)} volumes")
    for entry in listed:
        node.in_the_end(delete(entry["volume"]))


def deleted_as_told(node):
    shares = EXPORT / "policies"
    told = {**CLASS, "server": f"{SERVER}:/srv/share/policies"}
    made = {policy: make(node, policy, {**told, "onDelete": policy}) for policy in ("archive", "delete", "retain")}
    made["lost"] = make(node, "lost", told)
    for name in made:
        (shares / name / "file").write_text(name)
    for name in ("archive", "delete", "retain"):
        node.in_the_end(delete(made[name]))
        node.in_the_end(delete(made[name]))
    node.kill()
    shutil.rmtree(STATE / "volumes")
    node.start()
    node.in_the_end(delete(made["lost"]))
    node.in_the_end(delete(made["lost"]))
    left = {path.name.split("-2")[0]: (path / "file").read_text() for path in shares.iterdir() if path.name != ".holdfast"}
    require(left == {"archived-archive": "archive", "archived-lost": "lost", "retain": "retain"}, f"left are {left}")
    # A name that was retained is not given out again.
    node.refused("ALREADY_EXISTS", create("retain", told))


def copies(node):
    source = make(node, "source", CLASS)
    plant(EXPORT / "source")
    before = content(EXPORT / "source")
    taken = node.in_the_end(snapshot("snap", source))[0]["snapshot"]
    require(taken["readyToUse"], "the snapshot is not ready")
    (EXPORT / "source/later").write_text("x")
    restored = make(node, "restored", CLASS, of_snapshot(taken))
    require(content(EXPORT / "restored") == before, "what was restored is not what was there")
    require(restored["contentSource"] == of_snapshot(taken), "where it came from")
    node.in_the_end(delete(restored))
    return source, taken


def stop_when_copied(worker, files):
    """Lets the process work by growing slices of time, far enough apart for it to tell how far it is, until so many files are
    copied, and leaves it stopped: neither a fast nor a slow machine is done with all of them by then."""
    work = 0.005
    while True:
        os.kill(worker, signal.SIGSTOP)
        if len(list((EXPORT / ".holdfast").glob("work-*/d*/f*"))) >= files:
            return
        time.sleep(0.3)
        os.kill(worker, signal.SIGCONT)
        time.sleep(work)
        work *= 1.5


def go_on(worker):
    with contextlib.suppress(ProcessLookupError):
        os.kill(worker, signal.SIGCONT)


def tells_progress(node, source):
    calling = Calling(node, create("slow", CLASS, of_volume(source)))
    worker = calling.worker()
    stop_when_copied(worker, 5)
    status, answer = calling.answer()
    go_on(worker)
    require(status == "ABORTED" and " entries and " in answer, f"{status}: {answer}")
    require(not (EXPORT / "slow").exists(), "a volume is there before it is whole")
    volume = make(node, "slow", CLASS, of_volume(source))
    require(content(EXPORT / "slow") == content(EXPORT / "source"), "the copy differs")
    return volume


def killed(node, source, slow):
    """In the midst of each call once the driver, once the process that works; then it is made again."""
    want = content(EXPORT / "source")

    cut_off = []

    def driver(_):
        node.kill()
        node.start()

    def child(process):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)

    for end, name in ((driver, "driver"), (child, "child")):
        def interrupted(call):
            calling = Calling(node, call)
            if process := calling.worker():
                end(process)
            cut_off.append(calling.answer()[0] != "OK")
            answer, _ = node.in_the_end(call)
            within(5, "the work has ended", lambda: not workers())
            return answer

        taken = interrupted(snapshot(f"snap-{name}", source))["snapshot"]
        copy = interrupted(create(f"copy-{name}", CLASS, of_snapshot(taken)))["volume"]
        require(content(EXPORT / f"copy-{name}") == want, f"the copy differs, after the {name} was killed")
        interrupted(delete(copy if name == "driver" else slow))
        interrupted(("DeleteSnapshot", {"snapshotId": taken["snapshotId"]}))
        node.in_the_end(delete(copy))
    print(f"# {sum(cut_off)} of {len(cut_off)} calls were cut off", flush=True)
    require(sum(cut_off) > len(cut_off) / 2, "hardly a call was cut off: this check sees nothing")
    own = EXPORT / ".holdfast"
    left = [path.name for path in own.iterdir() if path.name.split("-")[0] in ("work", "links", "exit")]
    require(not left, f"left are {left}")
    require(not list(EXPORT.glob("copy-*")) and not (EXPORT / "slow").exists(), "volumes are left")


def abnormal(node, volume):
    one = node.ok(("ControllerGetVolume", {"volumeId": volume["volumeId"]}))["status"]["volumeCondition"]
    listed = {entry["volume"]["volumeId"]: entry["status"]["volumeCondition"]
              for entry in node.ok(("ListVolumes", {}))["entries"]}
    require(listed[volume["volumeId"]] == one, f"{one} by itself, {listed} in the list")
    return one.get("abnormal", False)


def outage(node, source):
    packets = Packets()
    gone = make(node, "gone", {**CLASS, "onDelete": "archive"})
    calls = (create("fresh", CLASS), delete(gone), snapshot("cold", source), create("cloned", CLASS, of_volume(source)))
    under_way = Calling(node, calls[-1])
    worker = under_way.worker()
    require(worker, "no process works for the call")
    os.kill(worker, signal.SIGSTOP)  # or it may be done first
    packets.drop(SERVER)
    go_on(worker)
    died = time.monotonic()
    answers = [calling.answer() for calling in [under_way, *(Calling(node, call) for call in calls[:-1])]]
    require({status for status, _ in answers} <= {"UNAVAILABLE", "ABORTED"}, f"{answers}")
    elsewhere = make(node, "elsewhere", {**CLASS, "server": f"{OTHER_SERVER}:/srv/share/two"})
    within(LONGEST_NOTICE - (time.monotonic() - died), "the condition is abnormal", lambda: abnormal(node, source))
    print(f"# abnormal after {time.monotonic() - died:.1f} s", flush=True)
    require(not abnormal(node, elsewhere), "the other server's volume is abnormal")
    began = time.monotonic()
    for call in calls:
        node.refused("UNAVAILABLE", call)
    require(time.monotonic() - began < 2, "a dead server was waited for")
    node.in_the_end(delete(elsewhere))
    packets.let_through(SERVER)
    for call in calls:
        node.in_the_end(call, 60)
    within(LONGEST_NOTICE, "the condition is normal", lambda: not abnormal(node, source))
    require((EXPORT / "fresh").is_dir() and not (EXPORT / "gone").exists(), "what was begun is not done")
    require(content(EXPORT / "cloned") == content(EXPORT / "source"), "the clone differs")
    require(len(list(EXPORT.glob("archived-gone-*"))) == 1, "the archive")


def whole_share(node):
    told = {"server": f"{SERVER}:/srv/share/all", "volumeAs": "sharepath"}
    made = make(node, "everybody", told)
    volume = Volume.made("everybody", made)
    node.ok(volume.stage(), volume.publish())
    (volume.target() / "file").write_text("x")
    node.ok(volume.unpublish(), volume.unstage())
    node.ok(delete(made))
    require((EXPORT / "all/file").read_text() == "x", "the share was touched")


def forgotten(node):
    told = {**CLASS, "server": f"{SERVER}:/srv/share/three"}
    make(node, "first", told)
    shutil.rmtree(EXPORT / "three")
    (EXPORT / "three").mkdir()
    within(30, "it is mounted anew and shows no volume", lambda: node(create("second", told))[0] == "UNAVAILABLE")
    (EXPORT / "three/.holdfast/claims").mkdir(parents=True)
    make(node, "second", told)
    require((EXPORT / "three/second").is_dir(), "it is not on the share of now")


def shared_content(node):
    told = {**CLASS, "server": f"{SERVER}:/srv/clones", "vers": "4.2"}
    source = make(node, "large", told)
    size = 48 << 20
    (CLONES / "large/file").write_bytes(os.urandom(1 << 20) * (size >> 20))
    os.sync()
    used = shutil.disk_usage(CLONES).used
    began = time.monotonic()
    make(node, "clone", told, of_volume(source))
    took, grown = time.monotonic() - began, shutil.disk_usage(CLONES).used - used
    print(f"# a clone of 48 MiB: {took:.2f} s, {grown >> 10} KiB more", flush=True)
    require((CLONES / "clone/file").stat().st_size == size, "the clone has another size")
    require(grown < size // 4, f"the clone takes {grown} bytes of its own")


def controller_alone(before):
    node = Node("controller", "--state-dir=/tmp/controller", "--kubelet-dir=/none")
    made = make(node, "lonely", CLASS)
    require((EXPORT / "lonely").is_dir(), "nothing is made")
    node.in_the_end(delete(made))
    node.refused("UNIMPLEMENTED", ("NodeGetInfo", {}))
    require(mounts_below("/tmp/controller") and mounts_below(KUBELET) == before, "where it mounts")
    node.kill()


def bounded(node):
    require(not node.slow, f"calls took too long: {node.slow}")
    within(10, "no process is left", lambda: not workers())


def main():
    node = Node("all")
    check = Story(node).check
    made = {}
    check("a volume lies where its class's template says", lambda: by_template(node))
    check("volumes go to the servers in turn, and a dead one is left out", lambda: in_turn(node))
    check("a deleted volume is archived, removed or kept; one whose record is lost is archived",
          lambda: deleted_as_told(node))
    check("a snapshot is what was there, and is restored", lambda: made.update(zip(("source", "snap"), copies(node))))
    check("how far a copy has come is told, and it is whole at last",
          lambda: made.update(slow=tells_progress(node, made["source"])))
    check("each call that was cut off by a kill goes on, of the driver or of what works for it",
          lambda: killed(node, made["source"], made["slow"]))
    check("a dead server is told in time, and calls go on when it is back", lambda: outage(node, made["source"]))
    check("a whole share is a volume that is never touched", lambda: whole_share(node))
    check("a share that its server has forgotten is mounted anew", lambda: forgotten(node))
    check("by version 4.2 a clone shares its content where the server's file system can", lambda: shared_content(node))
    check("a controller needs no kubelet", lambda: controller_alone(mounts_below(KUBELET)))
    check("no call took more than five seconds, and nothing works behind them", lambda: bounded(node))


main()
