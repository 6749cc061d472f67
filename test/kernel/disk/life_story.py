#!/usr/bin/python3
"""The life of a volume of csi-disk, from CreateVolume to DeleteVolume, on a cloud that is disk-sim. Prints TAP.

    life_story.py FLAG...      flags of csi-disk
"""

import sys

from disks import Node, Volume, require, run, tell, total_mib

GIB = 1 << 30
NODE = "i-1"
SMALL = {"type": "cloud_essd", "performanceLevel": "PL0"}  # sold from 1 GiB on
CAPABILITY = {"accessMode": {"mode": "SINGLE_NODE_WRITER"}, "mount": {"fsType": "ext4"}}


class Life:
    """One volume, and what is made of it on the way."""

    def __init__(self, node):
        self.node = node
        self.id = None
        self.snapshot = None
        self.copy = None
        self.other = None
        self.device = None

    def controller(self, method, request):
        return self.node.driver.call("Controller", method, request)

    def create(self, name, **more):
        request = {"name": name, "capacityRange": {"requiredBytes": str(GIB)}, "volumeCapabilities": [CAPABILITY],
                   "parameters": SMALL, **more}
        return self.controller("CreateVolume", request)["volume"]["volumeId"]

    def attach(self, volume_id):
        where = {"volumeId": volume_id, "nodeId": NODE, "volumeCapability": CAPABILITY}
        attached = self.controller("ControllerPublishVolume", where)["publishContext"]
        return Volume(volume_id, attached["serialNumber"], attached["csi.fs"])

    def detach(self, volume_id):
        for _ in range(2):
            self.controller("ControllerUnpublishVolume", {"volumeId": volume_id, "nodeId": NODE})

    def use(self, volume_id):
        volume = self.attach(volume_id)
        self.node.use(volume)
        return volume

    def leave(self, volume):
        self.node.leave(volume)
        self.detach(volume.name)


def device_of(volume):
    return run("findmnt", "-n", "-o", "SOURCE", volume.staging)


def a_disk_is_made_and_used(life):
    life.id = life.create("life")
    require(life.create("life") == life.id, "a second disk was made")
    volume = life.use(life.id)
    (volume.target / "data").write_text("kept")
    life.device = device_of(volume)


def it_grows_in_use(life):
    grown = {"volumeId": life.id, "capacityRange": {"requiredBytes": str(2 * GIB)}}
    require(life.controller("ControllerExpandVolume", grown)["nodeExpansionRequired"], "nothing is left to the node")
    volume = Volume(life.id, "")
    life.node.expand(volume, 2048)
    require(total_mib(volume.target) > 1800, f"it has {total_mib(volume.target)} MiB")
    require((volume.target / "data").read_text() == "kept", "the data is gone")


def a_killed_driver_goes_on(life):
    life.node.kill()
    life.node.start()
    volume = Volume(life.id, "")
    require(life.node.answer("NodeUnstageVolume", {"volumeId": life.id, "stagingTargetPath": str(volume.staging)}) ==
            "FAILED_PRECONDITION", "it was unstaged while a pod has it")
    life.leave(volume)


def it_comes_back_as_another_device(life):
    life.other = life.create("other")
    other = life.use(life.other)
    require(device_of(other) == life.device, "the device was not taken by the other disk")
    volume = life.use(life.id)
    require(device_of(volume) != life.device, "it has the same device")
    require((volume.target / "data").read_text() == "kept", "the data is gone")
    require(not (other.target / "data").exists(), "it is on the other disk")
    life.leave(other)


def a_snapshot_has_what_there_was(life):
    volume = Volume(life.id, "")
    run("sync", "-f", volume.target)
    wanted = {"name": "cut", "sourceVolumeId": life.id}
    life.snapshot = life.controller("CreateSnapshot", wanted)["snapshot"]["snapshotId"]
    (volume.target / "data").write_text("changed")
    source = {"snapshot": {"snapshotId": life.snapshot}}
    size = {"requiredBytes": str(2 * GIB)}
    life.copy = life.create("copy", volumeContentSource=source, capacityRange=size)
    copy = life.use(life.copy)
    require((copy.target / "data").read_text() == "kept", "it has what came later")
    require((volume.target / "data").read_text() == "changed", "the volume has what was before")
    life.leave(copy)
    life.leave(volume)


def the_cloud_tells_where_it_is(life):
    life.attach(life.id)
    listed = life.controller("ListVolumes", {})["entries"]
    nodes = {each["volume"]["volumeId"]: each["status"].get("publishedNodeIds", []) for each in listed}
    require(nodes[life.id] == [NODE] and nodes[life.other] == [], nodes)
    life.detach(life.id)


def all_is_deleted(life):
    for volume_id in (life.copy, life.id, life.other):
        for _ in range(2):
            life.controller("DeleteVolume", {"volumeId": volume_id})
    life.controller("DeleteSnapshot", {"snapshotId": life.snapshot})
    require("entries" not in life.controller("ListVolumes", {}), "disks are left")
    require(run("losetup", "--list", "--noheadings") == "", "devices are left")


CASES = (
    ("a disk is made once, attached, formatted and used", a_disk_is_made_and_used),
    ("it grows while it is in use", it_grows_in_use),
    ("a driver that is killed goes on where it was", a_killed_driver_goes_on),
    ("it comes back as another device, with its data", it_comes_back_as_another_device),
    ("a volume of a snapshot has what there was", a_snapshot_has_what_there_was),
    ("the cloud tells where it is attached", the_cloud_tells_where_it_is),
    ("all is deleted, and nothing is left", all_is_deleted),
)

if __name__ == "__main__":
    sys.exit(tell(CASES, Life(Node(sys.argv[1:]))))
