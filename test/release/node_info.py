"""Starts the node's drivers of each overlay with what it gives them and nothing else, and asks each for its NodeInfo, as kubelet
does when they register: python3 node_info.py. No API server is reached.

Prints what is wrong, a line each, and fails when there is something.
"""

import http.server
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import grpc

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TREE / "scripts"), str(TREE / "test/demo")]
import cluster_memory  # noqa: E402
import csi_driver  # noqa: E402
import kustomize  # noqa: E402
import namespaces  # noqa: E402
import proto  # noqa: E402

NODE = "zj-shaoxing-2.10.0.0.3"  # as ECK names its nodes
DRIVERS = ("csi-node", "csi-disk")
KUBELET = pathlib.Path("/var/lib/kubelet")
CONFIG = pathlib.Path("/run/holdfast")  # in the place of /etc/holdfast
DISK = "diskplugin.csi.alibabacloud.com"  # of csi-disk that is not told another
REGION_KEY = {"eck.csi.k8s.io": "topology.csi.esx.eck.ctyun.cn/region"}
PATIENCE = 30  # seconds
# What Alibaba Cloud's metadata service tells one of its machines.
METADATA = {"instance-id": "i-1", "zone-id": "cn-beijing-a", "region-id": "cn-beijing"}


class Metadata(http.server.BaseHTTPRequestHandler):
    def do_PUT(self):
        self._answer("a-session")

    def do_GET(self):
        self._answer(METADATA.get(self.path.rpartition("/")[2]))

    def _answer(self, text):
        body = (text or "").encode()
        self.send_response(200 if text else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def make_machine():
    """What this process sees from here on is a machine's that has nothing."""
    for place in ("/run", "/var/lib", "/mnt"):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", place], check=True)
    subprocess.run(["bash", "-ec", cluster_memory.OWN_DEVICES], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def serve_metadata():
    subprocess.run(["ip", "address", "add", "100.100.100.200/32", "dev", "lo"], check=True)
    server = http.server.ThreadingHTTPServer(("100.100.100.200", 80), Metadata)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def drivers():
    """(overlay, command line, ConfigMap's data or {}) of each of our drivers on a node."""
    for folder in sorted(path for path in (TREE / "manifests/overlays").iterdir() if path.is_dir()):
        rendered = kustomize.render(folder)
        maps = {each["metadata"]["name"]: each["data"] for each in rendered if each["kind"] == "ConfigMap"}
        for workload in (each for each in rendered if each["kind"] == "DaemonSet"):
            pod = workload["spec"]["template"]["spec"]
            names = [volume["configMap"]["name"] for volume in pod.get("volumes", []) if "configMap" in volume]
            files = {file: text for name in names for file, text in maps.get(name, {}).items()}
            for container in pod["containers"]:
                if container.get("command", [""])[0] in DRIVERS:
                    yield folder.name, container["command"] + container.get("args", []), files


def profiles(words):
    return [word.partition("=")[2] for word in words if word.startswith("--profile=")] or [DISK]


def socket_of(driver):
    return next(KUBELET.glob(f"*plugins/{driver}/csi.sock"), None)


def told(driver, messages):
    """What the driver answers, or a string: what it says instead."""
    end = time.monotonic() + PATIENCE
    said = "there is no socket"
    while time.monotonic() < end:
        time.sleep(0.1)
        if socket_of(driver) is None:
            continue
        try:
            csi = csi_driver.Driver(socket_of(driver), messages)
            if csi.first_answer("Identity", "Probe", {}) == "OK":
                said = csi.first_answer("Node", "NodeGetInfo", {})
                if said == "OK":
                    return csi.call("Node", "NodeGetInfo")
        except grpc.RpcError as error:
            said = str(error.code())
    return said


def wrong_answers(overlay, words, messages):
    for driver in profiles(words):
        answer = told(driver, messages)
        if isinstance(answer, str):
            yield f"{overlay}: {driver}: {answer}"
            continue
        key = REGION_KEY.get(driver)
        if not answer.get("nodeId"):
            yield f"{overlay}: {driver}: its node has no name"
        if key and answer.get("accessibleTopology", {}).get("segments") != {key: "zj-shaoxing-2"}:
            yield f"{overlay}: {driver}: {answer}: its region is in the node's name"


def wrong():
    work = tempfile.mkdtemp(dir="/mnt")
    messages = proto.compiled(TREE / "common/csi/proto/csi.proto", work)
    for overlay, words, files in drivers():
        shutil.rmtree("/var/lib/holdfast", ignore_errors=True)
        shutil.rmtree(KUBELET)
        for place in (KUBELET / "pods", KUBELET / "plugins_registry", CONFIG):
            place.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            (CONFIG / file).write_text(text)
        with open(f"/mnt/{overlay}.log", "wb") as log:
            process = subprocess.Popen([TREE / "build/bin" / words[0], *(word.replace("/etc/holdfast", str(CONFIG)) for word in words[1:])], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       env={"PATH": os.environ["PATH"], "NODE_NAME": NODE})
        found = list(wrong_answers(overlay, words, messages))
        process.terminate()
        process.wait(timeout=PATIENCE)
        yield from found
        if found:
            yield from pathlib.Path(f"/mnt/{overlay}.log").read_text().splitlines()[-10:]


def main():
    namespaces.enter(__file__)
    make_machine()
    serve_metadata()
    found = list(wrong())
    print("\n".join(found))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
