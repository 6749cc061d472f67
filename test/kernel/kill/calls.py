"""The calls of a volume's life, and the kinds of lives that are made of them."""

import csi_driver
import node_state

MIB = 1 << 20
VOLUME, SNAPSHOT = "pvc-killed", "snap-killed"
STAGING = node_state.KUBELET / "plugins/csi" / VOLUME / "globalmount"
TARGET = node_state.KUBELET / "pods/pod-1/volumes/csi" / VOLUME / "mount"
GROWN = {"requiredBytes": str(96 * MIB)}
# As on volumes of usual size. On small ones mkfs makes blocks of 1 KiB, and writes 300 times.
MKFS = {"mkfsOptions": "-b 4096"}
ON_NODE = {"volumeId": VOLUME, "stagingTargetPath": str(STAGING), "volumeCapability": csi_driver.capability("ext4")}
STAGE = {**ON_NODE, "volumeContext": MKFS}
IN_POD = {"volumeId": VOLUME, "targetPath": str(TARGET)}
POOL = "pool-killed"
# Of a class for each kind of volume.
PARAMETERS = {
    "thick": {"vgName": "suite", **MKFS},
    "thin": {"vgName": "suite", "thinPool": POOL, "thinPoolSize": "120Mi", **MKFS},
}
CREATE = {
    "name": VOLUME, "capacityRange": {"requiredBytes": str(64 * MIB)},
    "volumeCapabilities": [csi_driver.capability("ext4")],
}
UNSTAGE = {"volumeId": VOLUME, "stagingTargetPath": str(STAGING)}

# name, service, method, request, where the file is to be found afterwards
CALLS = (
    ("create", "Controller", "CreateVolume", CREATE, None),
    ("stage", "Node", "NodeStageVolume", STAGE, None),
    ("publish", "Node", "NodePublishVolume", {**STAGE, **IN_POD}, None),
    ("grow", "Controller", "ControllerExpandVolume", {"volumeId": VOLUME, "capacityRange": GROWN}, STAGING),
    ("grow-files", "Node", "NodeExpandVolume",
     {"volumeId": VOLUME, "volumePath": str(TARGET), "stagingTargetPath": str(STAGING), "capacityRange": GROWN}, TARGET),
    ("snapshot", "Controller", "CreateSnapshot", {"name": SNAPSHOT, "sourceVolumeId": VOLUME}, STAGING),
    ("unpublish", "Node", "NodeUnpublishVolume", IN_POD, STAGING),
    ("unstage", "Node", "NodeUnstageVolume", UNSTAGE, None),
    ("stage-again", "Node", "NodeStageVolume", STAGE, STAGING),
    ("unstage-again", "Node", "NodeUnstageVolume", UNSTAGE, None),
    ("delete-snapshot", "Controller", "DeleteSnapshot", {"snapshotId": SNAPSHOT}, None),
    ("delete", "Controller", "DeleteVolume", {"volumeId": VOLUME}, None),
)


def request_of(request, volumes):
    """The same for `volumes`, "thick" or "thin"."""
    return {**request, "parameters": PARAMETERS[volumes]} if request is CREATE else request


WHOLE = tuple(name for name, *_ in CALLS)
# Shorter lives, for the calls that have the most points. A call has as many in them as in a whole life.
BRIEF = ("create", "stage", "unstage", "delete")
WITH_SNAPSHOT = ("create", "stage", "snapshot", "unstage", "delete-snapshot", "delete")


def shortest(names):
    """The shortest kind of life that has all of these calls."""
    return next(kind for kind in (BRIEF, WITH_SNAPSHOT, WHOLE) if set(names) <= set(kind))
