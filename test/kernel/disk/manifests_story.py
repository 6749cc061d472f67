#!/usr/bin/python3
"""Volumes of the manifests that users have (test/fixtures/csi-disk), on SCSI disks with the serial numbers that these clouds'
disks tell: staged and published, with the data that was on them. Prints TAP."""

import json
import pathlib
import subprocess
import sys

import yaml

from disks import IMAGES, KUBELET, ROOT, Disk, Node, Volume, require, run, tell

FIXTURES = ROOT / "test/fixtures/csi-disk"
CLASSES = ROOT / "manifests/base/csi-disk/storageclasses.yaml"
BAY = ROOT / "test/demo/scsi_bay.sh"
GIB = 1 << 30
REGION = "cn-beijing"
ZONES = {"i-1": "cn-beijing-a", "i-2": "cn-beijing-b"}  # both are this machine
PORT = 8080
DATA = b"of the user"


def manifests(file, kind):
    return [each for each in yaml.safe_load_all(pathlib.Path(file).read_text()) if each and each["kind"] == kind]


def named(file, kind, name):
    return next(each for each in manifests(file, kind) if each["metadata"]["name"] == name)


class ScsiDisk(Disk):
    """Told by its own serial number, wherever it is."""

    def attach(self, partitions=False):
        self.device = run("losetup", "--find", "--show", self.image)
        run("bash", BAY, "plug", self.serial, self.device)
        return self

    def detach(self):
        run("bash", BAY, "unplug", self.serial)
        run("losetup", "--detach", self.device)
        self.device = None

    def fill(self, kind):
        """As somebody has left it; kind "block": raw."""
        if kind == "block":
            with open(self.image, "r+b") as file:
                file.write(DATA)
            return self
        run(f"mkfs.{kind}", "-q", self.image)
        folder = IMAGES / "filling"
        folder.mkdir(exist_ok=True)
        run("mount", "-o", "loop", self.image, folder)
        (folder / "data").write_bytes(DATA)
        run("umount", folder)
        return self


def volume_of(manifest):
    """What kubelet makes of a PersistentVolume."""
    csi = manifest["spec"]["csi"]
    raw = manifest["spec"].get("volumeMode") == "Block"
    volume = Volume(csi["volumeHandle"], "", fs_type="block" if raw else csi.get("fsType", ""))
    volume.request["volumeContext"] = csi.get("volumeAttributes", {})
    return volume


def flags(profile, **more):
    told = {"mode": "node", "profile": profile, "node-id": "edge-1", "zone": "z-1", "region": "r-1", "instance-id": "i-1",
            **more}
    return [f"--{name}={value}" for name, value in told.items()]


def keeps_data(manifest, serial, profile):
    """A node that serves the volume with the user's disk attached."""
    raw = manifest["spec"].get("volumeMode") == "Block"
    disk = ScsiDisk(serial, 320).fill("block" if raw else manifest["spec"]["csi"].get("fsType", "ext4")).attach()
    node = Node(flags(profile))
    try:
        for _ in range(2):  # again as after its pod was moved away and back
            volume = volume_of(manifest)
            node.use(volume)
            found = volume.target.open("rb").read(len(DATA)) if raw else (volume.target / "data").read_bytes()
            require(found == DATA, f"found {found}")
            node.leave(volume)
    finally:
        node.kill()
    disk.detach()


def static_disk_of_alibaba():
    keeps_data(named(FIXTURES / "alibaba.yaml", "PersistentVolume", "csi-pv"), "2zejqk5x7nb0yvw1", "alibaba")


def released_volume_of_eck():
    profile = pathlib.Path("/tmp/eck.json")
    profile.write_text(json.dumps({"driverName": "eck.csi.k8s.io", "handleSerial": "behindPrefix"}))
    keeps_data(named(FIXTURES / "eck.yaml", "PersistentVolume", "test2"), "cfebko79upsq2iuo7lkg", profile)


def volume_of_eck_by_serial():
    keeps_data(named(FIXTURES / "eck.yaml", "PersistentVolume", "by-serial"), "cfebko79upsq2iuo7lkg", "eck")


def volume_of_cbs():
    keeps_data(named(FIXTURES / "cbs.yaml", "PersistentVolume", "cbs-pv"), "disk-b5hmzqkx", "cbs")


def raw_volume_of_ens():
    keeps_data(named(FIXTURES / "ens.yaml", "PersistentVolume", "ens-pv"), "5t3fz0mkq8", "ens")


class Region:
    """The cloud of the manifests, and the driver of its cluster."""

    def __enter__(self):
        account = pathlib.Path("/tmp/account.json")
        account.write_text(json.dumps({"AccessKeyId": "sim-id", "AccessKeySecret": "sim-secret"}))
        nodes = ",".join(f"{node}@{zone}" for node, zone in ZONES.items())
        log = open("/out/disk-sim.log", "ab")
        self._cloud = subprocess.Popen(
            [ROOT / "build/bin/disk-sim", f"--port={PORT}", "--state=/tmp/disks.state", "--devices=/tmp/devices", "--as=scsi",
             f"--region={REGION}", f"--zones={','.join(ZONES.values())}", f"--nodes={nodes}"],
            stdout=subprocess.PIPE, stderr=log)
        require(b"http" in self._cloud.stdout.readline(), "the cloud does not start")
        self._node = Node(flags("alibaba", mode="all", zone=ZONES["i-1"], region=REGION, **{
            "cloud-region": REGION, "cloud-endpoint": f"http://127.0.0.1:{PORT}", "cloud-credentials": account}))
        return self

    def __exit__(self, *_):
        self._node.kill()
        self._cloud.terminate()
        self._cloud.wait()

    def controller(self, method, request):
        return self._node.driver.call("Controller", method, request)

    def try_class(self, name, parameters, gib):
        """A claim of the class is made, used by a pod, released with its data, and used again as a volume that is there."""
        parameters = {key: str(value) for key, value in parameters.items()}
        read_only = parameters.get("readonly") == "true"
        use = {"accessMode": {"mode": "SINGLE_NODE_WRITER"}, "mount": {"fsType": "ext4"}}
        made = self.controller("CreateVolume", {"name": name, "capacityRange": {"requiredBytes": str(gib * GIB)},
                                                "volumeCapabilities": [use], "parameters": parameters})["volume"]
        zone = made["accessibleTopology"][0]["segments"]["topology.diskplugin.csi.alibabacloud.com/zone"]
        require(zone == parameters.get("zoneId", ZONES["i-1"]), f"it is in {zone}")
        where = {"volumeId": made["volumeId"], "nodeId": next(node for node in ZONES if ZONES[node] == zone)}
        for attempt in ("claimed", "released"):
            context = self.controller("ControllerPublishVolume", {**where, "volumeCapability": use})["publishContext"]
            volume = Volume(made["volumeId"], "", **(made["volumeContext"] if attempt == "claimed" else {}))
            volume.request["publishContext"] = context
            self._node.use(volume)
            options = run("findmnt", "-n", "-o", "VFS-OPTIONS", volume.target).split(",")
            require(("ro" in options) == (read_only and attempt == "claimed"), f"it is mounted {options}")
            if attempt == "released":
                require(read_only or (volume.target / "data").read_bytes() == DATA, "the data is gone")
            elif not read_only:
                (volume.target / "data").write_bytes(DATA)
            self._node.leave(volume)
            self.controller("ControllerUnpublishVolume", where)
        self.controller("DeleteVolume", {"volumeId": made["volumeId"]})


def volumes_of_classes():
    file = FIXTURES / "alibaba.yaml"
    with Region() as region:
        for each in manifests(file, "StorageClass"):
            region.try_class("pvc-" + each["metadata"]["name"], each["parameters"], 25)
        usual = named(CLASSES, "StorageClass", "alicloud-disk-ssd")
        size = named(file, "PersistentVolumeClaim", "default-pvc")["spec"]["resources"]["requests"]["storage"]
        region.try_class("default-pvc", usual["parameters"], int(size.removesuffix("Gi")))


CASES = (
    ("the static disk of Alibaba Cloud keeps its data", static_disk_of_alibaba),
    ("a released volume of ECK keeps its data, by the profile", released_volume_of_eck),
    ("a volume of ECK keeps its data, by its serial number", volume_of_eck_by_serial),
    ("a volume of CBS keeps its data", volume_of_cbs),
    ("a raw volume of ENS keeps its data", raw_volume_of_ens),
    ("claims of each class are used, released and used again with their data", volumes_of_classes),
)

if __name__ == "__main__":
    KUBELET.mkdir(parents=True, exist_ok=True)
    sys.exit(tell(CASES))
