"""The cluster's node with disks: a guest on the site's LAN, and the controller of its volumes in the cloud."""

import json
import pathlib
import shutil
import shlex

import cluster_site
import csi_driver
import guest
import proto
import storage
from edge_site import ROOT, run
from storage_node import MIB, NODE, PARAMETERS

ADDRESS = "192.168.77.50"
GATEWAY = "192.168.77.254"
TAP = "disks"
STORAGE = f"/apis/storage.holdfast.dev/v1alpha1/nodestorages/{NODE}"
PHASE_SECONDS = 120


class StorageNode:
    """`shop-1`, with csi-node for all of its drivers."""

    def __init__(self, cluster):
        self._cloud = cluster.cloud
        self._folder = cluster.folder / NODE
        self._guest = guest.Guest(self._folder, NODE)
        self._disks = storage.make_disks(cluster.folder, storage.DISK_BYTES)
        self._messages = proto.compiled(ROOT / "common/csi/proto/csi.proto", cluster.folder)
        run("ip", "tuntap", "add", "dev", TAP, "mode", "tap")
        run("ip", "link", "set", TAP, "master", "lan", "up")

    def register(self):
        cluster_site.register_node(self._cloud.api, NODE, ADDRESS)

    def boot(self):
        """Seconds from power on until csi-node answers."""
        network = f"vec0:transport=tap,ifname={TAP},depth=128,gro=1"
        disks = [self._disks[name] for name in ("first", "second", "system")]
        seconds = self._guest.boot(disks, [network])
        proto.compile_to(ROOT / "common/csi/proto/csi.proto", self._folder)
        shutil.copy(storage.CONFIG, self._folder)
        self._do("boot", ADDRESS, GATEWAY, str(self._cloud.kubeconfig))
        return seconds

    def cut_power(self):
        self._guest.cut_power()

    def make_volume(self, name):
        """As the provisioner asks for it, whom the scheduler has told a node; what the controller answers."""
        storage_object = cluster_site.wait_for(self._has_told_groups, f"{NODE} tells no volume group")
        topology = {"segments": storage_object["spec"]["topology"]}
        driver = csi_driver.Driver(self._cloud.volumes_socket, self._messages)
        driver.wait_until_ready(cluster_site.READY_SECONDS)
        return driver.call("Controller", "CreateVolume", {
            "name": name, "capacityRange": {"requiredBytes": str(64 * MIB)}, "parameters": PARAMETERS,
            "volumeCapabilities": [csi_driver.capability("ext4")],
            "accessibilityRequirements": {"requisite": [topology], "preferred": [topology]}})["volume"]

    def write(self, volume):
        """Mounts it, and writes; the checksum."""
        return self._do("write", json.dumps(volume))

    def restart(self, volume):
        """Kills csi-node, which is started again, and mounts the volume anew; the checksum of what it holds."""
        return self._do("restart", json.dumps(volume))

    def mount(self, volume):
        return self._do("mount", json.dumps(volume))

    def memory_kib(self):
        return int(self._do("memory"))

    def _has_told_groups(self):
        found = self._cloud.api.get(STORAGE)
        return found if found and found.get("status", {}).get("groups") else None

    def _do(self, *words):
        lines = []
        program = pathlib.Path(__file__).with_name("cluster_volumes.py")
        try:
            self._guest.run(f"exec /usr/bin/python3 -B {program} {shlex.join(words)} 2>>/out/volumes.log", PHASE_SECONDS,
                            lines.append)
        except RuntimeError as error:
            raise RuntimeError(f"{NODE}: '{words[0]}' failed; see {NODE}/volumes.log and csi-node.log") from error
        return lines[-1] if lines else ""
