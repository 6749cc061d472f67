"""What a kubelet does with the drivers of its node: python3 node_kubelet.py ROOT register|mount|unmount

ROOT is the node's root file system. register: finds the drivers' sockets, asks each who it is and what it says of the node, and
tells it that it is registered; mount, unmount: the volume that ROOT/test/volume.json tells of, for a pod.
"""

import json
import pathlib
import sys
import time

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TREE / "test/demo"))
import csi_driver  # noqa: E402
import proto  # noqa: E402

LOCAL = "localplugin.csi.alibabacloud.com"
# What each driver of the node says of where it is.
PLACES = {LOCAL: {"kubernetes.io/hostname": "edge-1"}, "nasplugin.csi.alibabacloud.com": {}}
KUBELET = "var/lib/kubelet"
PATIENCE = 60  # seconds


class Node:
    def __init__(self, root):
        self._root = root
        self._csi = proto.compiled(TREE / "common/csi/proto/csi.proto", root / "test")

    def driver(self, endpoint):
        """Of a path that is the node's."""
        return csi_driver.Driver(self._root / endpoint.lstrip("/"), self._csi)

    def register(self):
        """Returns when all drivers are."""
        messages = proto.compiled(TREE / "common/csi/proto/pluginregistration.proto", self._root / "test")
        found, end = {}, time.monotonic() + PATIENCE
        while found.keys() != PLACES.keys():
            if time.monotonic() > end:
                sys.exit(f"there are no drivers but {sorted(found)}")
            time.sleep(0.2)
            for socket in (self._root / KUBELET / "plugins_registry").glob("*.sock"):
                asked = csi_driver.Driver(socket, messages)
                info = asked.call("Registration", "GetInfo")
                if info["type"] != "CSIPlugin" or "1.0.0" not in info["supportedVersions"]:
                    sys.exit(f"kubelet knows no such plugin: {info}")
                found[info["name"]] = self.driver(info["endpoint"]).call("Node", "NodeGetInfo")
                asked.call("Registration", "NotifyRegistrationStatus", {"pluginRegistered": True})
        for name, info in found.items():
            place = info.get("accessibleTopology", {}).get("segments", {})
            if info["nodeId"] != "edge-1" or place != PLACES[name]:
                sys.exit(f"{name} says that it is at {info}")

    def mount(self):
        request = self._request()
        self._make(request["stagingTargetPath"])
        self._local().call("Node", "NodeStageVolume", request)
        target = self._target()
        self._make(target.parent)
        self._local().call("Node", "NodePublishVolume", {**request, "targetPath": str(target)})

    def unmount(self):
        request = self._request()
        self._local().call("Node", "NodeUnpublishVolume", {"volumeId": request["volumeId"], "targetPath": str(self._target())})
        self._local().call("Node", "NodeUnstageVolume", {key: request[key] for key in ("volumeId", "stagingTargetPath")})

    def _local(self):
        return self.driver(f"{KUBELET}/csi-plugins/{LOCAL}/csi.sock")

    def _request(self):
        volume = json.loads((self._root / "test/volume.json").read_text())
        return {"volumeId": volume["volumeId"], "volumeContext": volume.get("volumeContext", {}),
                "stagingTargetPath": f"/{KUBELET}/plugins/kubernetes.io/csi/{LOCAL}/pvc-till/globalmount",
                "volumeCapability": csi_driver.capability("ext4")}

    @staticmethod
    def _target():
        return pathlib.Path("/", KUBELET, "pods/till-0/volumes/kubernetes.io~csi/pvc-till/mount")

    def _make(self, folder):
        (self._root / str(folder).lstrip("/")).mkdir(parents=True, exist_ok=True)


def main():
    root, verb = sys.argv[1:]
    node = Node(pathlib.Path(root))
    {"register": node.register, "mount": node.mount, "unmount": node.unmount}[verb]()


if __name__ == "__main__":
    main()
