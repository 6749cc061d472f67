"""Volumes of a site: the controller reaches the API server alone, and a node of the site does what is to be done to directories.
csi-nas and csi-node as they are shipped.

    site_story.py

Runs in the network namespace of the node (test/kernel/guest/csi_nas_site.sh). Prints a line of TAP for each check.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import urllib.request

sys.dont_write_bytecode = True
from nas_node import DRIVER, KUBELET, ROOT, Node, Packets, Story, Volume, mounts_below, require, within  # noqa: E402

sys.path.insert(0, str(ROOT / "test/release"))
import monitoring  # noqa: E402

SERVER, SITE, POOL = "10.9.0.1", "hangzhou-1", "apps.openyurt.io/nodepool"
EXPORT = pathlib.Path("/srv/share")
CLOUD_STATE = pathlib.Path("/var/lib/holdfast/cloud")
CLASS = {"server": f"{SERVER}:/srv/share", "site": SITE, "onDelete": "delete"}
MANY = [{"accessMode": {"mode": "MULTI_NODE_MULTI_WRITER"}, "mount": {}}]
FILES = 8000  # seconds of work
METRICS = ("holdfast_nas_", "holdfast_nfs_")
TASKS = "/apis/storage.holdfast.dev/v1alpha1/nastasks"
IN_CLOUD = ("nsenter", "--net=/run/netns/cloud")
KUBECONFIG = """current-context: a
contexts: [{name: a, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: '%s'}}]
users: [{name: u, user: {}}]
"""


def create(name, parameters, source=None):
    request = {"name": name, "capacityRange": {"requiredBytes": str(1 << 30)}, "parameters": parameters,
               "volumeCapabilities": MANY}
    if source:
        request["volumeContentSource"] = {"volume": {"volumeId": source["volumeId"]}}
    return "CreateVolume", request


def delete(volume):
    return "DeleteVolume", {"volumeId": volume["volumeId"]}


def workers():
    """Processes that work on directories."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if words.split(b"\0")[0].endswith(b"/nas-directories"):
            found.append(int(path.parent.name))
    return found


class Site:
    def __init__(self):
        words = [ROOT / "build/guest/bin/nas_site_api_server", "10.10.0.1", "8001", f"edge-1={SITE}"]
        self._api = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        self.url = self._api.stdout.readline().strip()
        pathlib.Path("/run/kubeconfig").write_text(KUBECONFIG % self.url)
        profile = {"driverName": DRIVER, "topologyKeys": [POOL]}
        pathlib.Path("/run/csi.json").write_text(json.dumps({"profiles": [profile]}))
        cluster = ("--kubeconfig=/run/kubeconfig", "--config=/run/csi.json")
        socket = KUBELET / "csi-plugins" / DRIVER / "csi.sock"
        self.node = Node("node", f"--profile={DRIVER}", *cluster, "--metrics-address=127.0.0.1:11262", program="csi-node",
                         endpoint=str(socket))
        self.controller = Node("controller", f"--state-dir={CLOUD_STATE}", *cluster, "--metrics-address=127.0.0.1:11263",
                               via=IN_CLOUD)
        self.volume = None

    def tasks(self):
        with urllib.request.urlopen(self.url + TASKS) as answer:
            return json.load(answer)["items"]

    def far(self):
        reach = subprocess.run([*IN_CLOUD, "timeout", "2", "bash", "-c", f"</dev/tcp/{SERVER}/2049"], stderr=subprocess.DEVNULL)
        require(reach.returncode != 0, "the controller reaches the site's server")
        within(20, "the node tells its pool",
               lambda: self.node(("NodeGetInfo", {}))[1].get("accessibleTopology") == {"segments": {POOL: SITE}})

    def made(self):
        answer, _ = self.controller.in_the_end(create("pvc-1", CLASS))
        self.volume = answer["volume"]
        require(self.volume["accessibleTopology"] == [{"segments": {POOL: SITE}}], str(self.volume))
        require((EXPORT / "pvc-1").is_dir(), "there is no directory")
        require(not mounts_below(CLOUD_STATE), "the controller has mounted something")
        require(not self.tasks(), "a task is left")

    def used(self):
        volume = Volume.made("pv-1", self.volume)
        self.node.ok(volume.stage(), volume.publish())
        (volume.target() / "file").write_text("of a pod")
        clone, _ = self.controller.in_the_end(create("pvc-2", CLASS, self.volume))
        require((EXPORT / "pvc-2/file").read_text() == "of a pod", "the clone lacks a file")
        self.controller.in_the_end(delete(clone["volume"]))
        require(not (EXPORT / "pvc-2").exists(), "the clone is there")
        self.node.ok(volume.unpublish(), volume.unstage())

    def measured(self):
        pages = [subprocess.run([*where, "busybox", "wget", "-q", "-O", "-", f"http://127.0.0.1:{port}/metrics"], check=True,
                                capture_output=True, text=True, timeout=20).stdout for where, port in (((), 11262), (IN_CLOUD, 11263))]
        wanted = {name for name in monitoring.named() if name.startswith(METRICS)}
        absent = [name for name in wanted if f"# TYPE {name} " not in "".join(pages)]
        require(wanted and not absent, f"no program shows {absent}")

    def plant(self):
        for number in range(FILES):
            (EXPORT / "pvc-1" / f"f{number}").touch()

    def hold_worker(self):
        """Stops the child that works, so that the work is not done before the node dies."""
        within(20, "a child works", workers)
        for pid in workers():
            os.kill(pid, signal.SIGSTOP)

    def node_dies(self):
        """While it removes a volume; when it is there again it goes on."""
        self.plant()
        answers = []
        call = threading.Thread(target=lambda: answers.append(self.controller(delete(self.volume))))
        call.start()
        self.hold_worker()
        call.join()
        require(answers[0][0] == "ABORTED" and "edge-1" in answers[0][1], str(answers))
        require([task["status"]["holder"] for task in self.tasks()] == ["edge-1"], str(self.tasks()))
        self.node.kill()
        within(10, "its children end with it", lambda: not workers())
        status, answer = self.controller(delete(self.volume))
        require(status == "ABORTED", f"{status}: {answer}")
        self.node.start()
        self.controller.in_the_end(delete(self.volume), 120)
        require(not (EXPORT / "pvc-1").exists(), "the volume is there")
        require(not self.tasks(), "a task is left")

    def server_dies(self):
        packets = Packets()
        packets.drop(SERVER)
        began = time.monotonic()
        status, answer = self.controller(create("pvc-3", CLASS))
        require(status in ("ABORTED", "UNAVAILABLE") and time.monotonic() - began < 9, f"{status}: {answer}")
        packets.let_through(SERVER)
        answer, _ = self.controller.in_the_end(create("pvc-3", CLASS), 120)
        self.controller.in_the_end(delete(answer["volume"]), 120)

    def end(self):
        require(not [path for path in EXPORT.iterdir() if path.name.startswith("pvc")], "a volume is left")
        require(not list((EXPORT / ".holdfast/claims").iterdir()), "a claim is left")
        require(not workers(), "a child is left")


def main():
    site = Site()
    check = Story(site.node).check
    check("the controller has no way to the server, and the node tells its pool", site.far)
    check("a volume is made by a node, and is told to be of its site", site.made)
    check("it is used, copied within its site, and the copy deleted", site.used)
    check("the programs show all metrics of theirs that rules, boards and docs name", site.measured)
    check("a node that dies while it removes a volume leaves nothing that works, and goes on when it is back", site.node_dies)
    check("while the server is dead a call ends in time, and is done when it is back", site.server_dies)
    check("nothing is left of all that", site.end)


main()
