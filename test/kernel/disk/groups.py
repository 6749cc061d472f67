"""csi-lvm as it is shipped, and volume groups of a guest."""

import os

from disks import IMAGES, KUBELET, MIB, ROOT, Node, Volume, run

LVM_WORDS = ("--devicesfile", "holdfast.devices", "--config",
             "devices/use_devicesfile=1 devices/obtain_device_list_from_udev=0 activation/udev_sync=0 activation/udev_rules=0 "
             "activation/verify_udev_operations=1 activation/monitoring=0")
SECONDS = 30  # in which every call is to end by itself


def make_groups(**groups):
    """NAME=(EXTENT, DEVICE): each on one disk."""
    lines = [f"group_on {name} {extent} {device}" for name, (extent, device) in groups.items()]
    run("bash", "-c", " && ".join(['source "$0"', "prepare_lvm", *lines]), ROOT / "test/kernel/volume_group.sh")


def image(name, mib):
    """A file for the content of a disk."""
    IMAGES.mkdir(exist_ok=True)
    path = IMAGES / f"{name}.img"
    with open(path, "wb") as file:
        file.truncate(mib * MIB)
    return path


def lvm(*words):
    """What an administrator would do."""
    return run(words[0], *LVM_WORDS, *words[1:])


def write(path, text):
    """To the disk, and not to memory alone."""
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


class LvmNode:
    """The driver, alone on its node."""

    def __init__(self):
        (KUBELET / "pods").mkdir(parents=True, exist_ok=True)
        self.node = Node(("--node-id=edge-1",), "csi-lvm")

    @property
    def driver(self):
        return self.node.driver

    def creation(self, name, mib=16, **parameters):
        return {"name": name, "capacityRange": {"requiredBytes": str(mib * MIB)},
                "volumeCapabilities": [Volume(name, "").request["volumeCapability"]], "parameters": parameters}

    def create(self, name, **more):
        self.driver.call("Controller", "CreateVolume", self.creation(name, **more))
        return Volume(name, "")

    def delete(self, name):
        self.driver.call("Controller", "DeleteVolume", {"volumeId": name})

    def names(self):
        """The volumes that the driver tells of."""
        return sorted(each["volume"]["volumeId"]
                      for each in self.driver.call("Controller", "ListVolumes").get("entries", []))

    def answer(self, method, request, seconds=SECONDS):
        """The name of the first answer."""
        service = "Node" if method.startswith("Node") else "Controller"
        return self.driver.first_answer(service, method, request, seconds)

    def stats(self, volume):
        return self.node.call("NodeGetVolumeStats", volume.path)

    def condition(self, volume):
        """Of a published volume: whether it is abnormal, and why."""
        told = self.stats(volume)["volumeCondition"]
        return told.get("abnormal", False), told.get("message", "")

    def first_answers_of_a_life(self, name, **parameters):
        """Of a volume, from CreateVolume to DeleteVolume: method and answer of each call."""
        volume = Volume(name, "")
        published = {**volume.request, "targetPath": str(volume.target)}
        calls = (("CreateVolume", self.creation(name, **parameters)), ("NodeStageVolume", volume.request),
                 ("NodePublishVolume", published), ("NodeGetVolumeStats", volume.path),
                 ("NodeUnpublishVolume", {"volumeId": name, "targetPath": str(volume.target)}),
                 ("NodeUnstageVolume", {"volumeId": name, "stagingTargetPath": str(volume.staging)}),
                 ("DeleteVolume", {"volumeId": name}))
        return [(method, self.answer(method, request)) for method, request in calls]
