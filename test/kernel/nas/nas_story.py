"""csi-nas as it is shipped, called by its socket, with servers of NFS that live, die and come back.

    nas_story.py

Runs in the network namespace of the node (test/kernel/nfs_server.sh). Prints a line of TAP for each check.
"""

import os
import pathlib
import re
import shutil
import sys
import threading
import time

sys.dont_write_bytecode = True
from nas_node import DRIVER, KUBELET, LONGEST_NOTICE, Node, Packets, Story, Volume, mounts_below, require, within  # noqa: E402

SERVER, OTHER_SERVER = "10.9.0.1", "10.9.0.2"
EXPORT = pathlib.Path("/srv/share")
AT_ONCE = 24


VERSIONS = [Volume(f"pv-{vers}", f"/srv/share/v{vers}/made", vers, SERVER) for vers in ("3", "4.0", "4.1", "4.2")]
NEIGHBOUR = Volume("pv-neighbour", "/srv/share/v4.1/made", "4.1", SERVER)  # the same share as another one
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


def exchanged(node):
    for vers in ("3", "4.1"):
        folder = EXPORT / f"exchanged-{vers}"
        volume = Volume(f"pv-exchanged-{vers}", str(folder), vers, SERVER)
        node.ok(volume.stage(), volume.publish("old"))
        shutil.rmtree(folder)
        folder.mkdir()
        node.ok(volume.stage(), volume.publish("new"))
        (volume.target("new") / "file").write_text(vers)
        require((folder / "file").read_text() == vers, "it is not the folder of now")
        for pod, abnormal in (("old", True), ("new", False)):
            condition = node.in_the_end(volume.stats(pod))[0]["volumeCondition"]
            require(condition.get("abnormal", False) == abnormal, f"version {vers}, the {pod} pod: {condition}")
        node.refused("FAILED_PRECONDITION", volume.publish("old"))
        node.ok(volume.unpublish("old"), volume.unpublish("new"), volume.unstage())


def hundred(node):
    volumes = [Volume(f"pv-many-{number}", "/srv/share", "3", f"10.9.0.{1 + number % 5}") for number in range(100)]
    for volume in volumes:
        node.ok(volume.stage(), volume.publish())
    devices = {os.stat(volume.target()).st_dev for volume in volumes}
    status = pathlib.Path(f"/proc/{node.pid()}/status").read_text()
    resident = int(status.split("VmRSS:")[1].split()[0])
    print(f"# with 100 volumes of 5 servers: {len(devices)} superblocks, {resident} KiB resident", flush=True)
    require(len(devices) == 5, f"{len(devices)} superblocks")
    require(resident <= 24 * 1024, f"{resident} KiB")
    for volume in volumes:
        node.ok(volume.unpublish(), volume.unstage())


def restarted(node):
    before = mounts_below(KUBELET)
    node.kill()
    node.start()
    require(mounts_below(KUBELET) == before, "the mounts have changed")
    for volume in VERSIONS:
        node.ok(volume.publish())
        node.refused("FAILED_PRECONDITION", volume.unstage())


def refused_kinds(node):
    node.refused("INVALID_ARGUMENT", Volume("pv-bad", "/srv/../etc", "3", SERVER).stage())
    node.refused("NOT_FOUND", Volume("pv-none", "/none/at/all", "3", SERVER).stats())
    node.refused("FAILED_PRECONDITION", Volume("pv-none", "/srv/share", "3", SERVER).publish())


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
        self.packets = Packets()
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
        fresh = Volume("pv-fresh", "/srv/share", "4.1", SERVER, options="noresvport,timeo=50")
        refused = [volume.publish("second") for volume in VERSIONS] + [fresh.stage()]
        answers = {}

        def ask(number, call):
            answers[number] = node(call)

        threads = [threading.Thread(target=ask, args=item) for item in enumerate(refused)]
        self.packets.drop(SERVER)
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
        self.packets.let_through(SERVER)
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
    within(30, "no child is in the kernel", lambda: "D" not in node.children())


def nothing_left(node):
    for volume in (NEIGHBOUR, ELSEWHERE):
        node.ok(volume.unpublish(), volume.unstage())
    # What was unstaged while the server was dead goes beside the calls.
    within(90, "no mount is left", lambda: not mounts_below(KUBELET))
    require(not list((KUBELET / "plugins" / DRIVER / "shared").iterdir()), "folders of shares are left")


def at_once(node):
    """As when a node boots: kubelet wants all volumes at a time, and their folders are missing."""
    volumes = [Volume(f"pv-many-{number}", f"/srv/share/many/{number}", ("3", "4.1")[number % 2], SERVER)
               for number in range(AT_ONCE)]
    answers = []
    threads = [threading.Thread(target=lambda each=each: answers.append(node.in_the_end(each.stage(), 120)[1]))
               for each in volumes]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    require(len(answers) == AT_ONCE, "one was not staged")
    refused = [text for told in answers for text in told]
    print(f"# {AT_ONCE} volumes staged in {time.monotonic() - began:.1f} s, {sum(map(bool, answers))} not by their first call; "
          f"the longest call {node.longest:.1f} s", flush=True)
    for text in refused:
        waited = re.search(r"has not answered (?:within (\d+) ms|for (\d+) s)", text)
        # It lives: what had no time because of others says nothing of it.
        require(not waited or int(waited[1] or 0) >= 1000 or int(waited[2] or 0) >= 2, text)
    node.ok(*(volume.unstage() for volume in volumes))


def main():
    node = Node()
    story = Story(node)
    check = story.check
    check("volumes of every version of NFS are staged, in folders that are made", lambda: every_version(node))
    check("two volumes of one share are one mount", lambda: one_mount_for_two(node))
    check("a volume that is published read-only is", lambda: read_only(node))
    check("a folder that was exchanged on the server is mounted anew for new pods", lambda: exchanged(node))
    check("many volumes are staged at once, and none blames the server for others", lambda: at_once(node))
    check("what cannot be is refused", lambda: refused_kinds(node))
    check("started anew, the driver knows its mounts and leaves them alone", lambda: restarted(node))
    check("a hundred volumes of five servers are five superblocks, in 24 MiB", lambda: hundred(node))
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
