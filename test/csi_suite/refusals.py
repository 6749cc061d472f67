"""Calls that lack something, or name something that is not there: tables of what is answered."""

from scene import holds, same

ABSENT = "suite-there-is-none"
BYTES = {"requiredBytes": str(16 << 20)}

# method -> the capability without which a driver need not have it.
NEEDS = {
    "CreateVolume": "Controller.CREATE_DELETE_VOLUME",
    "DeleteVolume": "Controller.CREATE_DELETE_VOLUME",
    "ControllerGetVolume": "Controller.GET_VOLUME",
    "ControllerExpandVolume": "Controller.EXPAND_VOLUME",
    "ControllerPublishVolume": "Controller.PUBLISH_UNPUBLISH_VOLUME",
    "ControllerUnpublishVolume": "Controller.PUBLISH_UNPUBLISH_VOLUME",
    "CreateSnapshot": "Controller.CREATE_DELETE_SNAPSHOT",
    "DeleteSnapshot": "Controller.CREATE_DELETE_SNAPSHOT",
    "ListVolumes": "Controller.LIST_VOLUMES",
    "ListSnapshots": "Controller.LIST_SNAPSHOTS",
    "NodeStageVolume": "Node.STAGE_UNSTAGE_VOLUME",
    "NodeUnstageVolume": "Node.STAGE_UNSTAGE_VOLUME",
    "NodeGetVolumeStats": "Node.GET_VOLUME_STATS",
    "NodeExpandVolume": "Node.EXPAND_VOLUME",
}

# What CSI demands of a request: without one of them it is INVALID_ARGUMENT.
REQUIRED = (
    ("Controller", "CreateVolume", ("name", "volumeCapabilities")),
    ("Controller", "DeleteVolume", ("volumeId",)),
    ("Controller", "ValidateVolumeCapabilities", ("volumeId", "volumeCapabilities")),
    ("Controller", "ControllerGetVolume", ("volumeId",)),
    ("Controller", "ControllerExpandVolume", ("volumeId", "capacityRange")),
    ("Controller", "ControllerPublishVolume", ("volumeId", "nodeId", "volumeCapability")),
    ("Controller", "ControllerUnpublishVolume", ("volumeId",)),
    ("Controller", "CreateSnapshot", ("name", "sourceVolumeId")),
    ("Controller", "DeleteSnapshot", ("snapshotId",)),
    ("Node", "NodeStageVolume", ("volumeId", "stagingTargetPath", "volumeCapability")),
    ("Node", "NodeUnstageVolume", ("volumeId", "stagingTargetPath")),
    ("Node", "NodePublishVolume", ("volumeId", "targetPath", "volumeCapability")),
    ("Node", "NodeUnpublishVolume", ("volumeId", "targetPath")),
    ("Node", "NodeGetVolumeStats", ("volumeId", "volumePath")),
    ("Node", "NodeExpandVolume", ("volumeId", "volumePath")),
)

# What is not there: a name for people, the call, what the request has besides, the answer.
UNKNOWN = (
    ("a volume that is not there is deleted already", "Controller", "DeleteVolume", {}, "OK"),
    ("a snapshot that is not there is deleted already", "Controller", "DeleteSnapshot", {}, "OK"),
    ("nothing is said of a volume that is not there", "Controller", "ValidateVolumeCapabilities", {}, "NOT_FOUND"),
    ("nor is it looked up", "Controller", "ControllerGetVolume", {}, "NOT_FOUND"),
    ("it does not grow", "Controller", "ControllerExpandVolume", {}, "NOT_FOUND"),
    ("no snapshot is taken of it", "Controller", "CreateSnapshot", {}, "NOT_FOUND"),
    ("it is not attached", "Controller", "ControllerPublishVolume", {}, "NOT_FOUND"),
    ("no volume is copied from it", "Controller", "CreateVolume",
     {"volumeContentSource": {"volume": {"volumeId": ABSENT}}}, "NOT_FOUND"),
    ("nor from a snapshot that is not there", "Controller", "CreateVolume",
     {"volumeContentSource": {"snapshot": {"snapshotId": ABSENT}}}, "NOT_FOUND"),
    ("it has no statistics", "Node", "NodeGetVolumeStats", {}, "NOT_FOUND"),
    ("nor has it any at a path that is relative", "Node", "NodeGetVolumeStats", {"volumePath": "some/path"}, "NOT_FOUND"),
    ("it does not grow on its node", "Node", "NodeExpandVolume", {"volumePath": "some/path"}, "NOT_FOUND"),
    ("it is unpublished already", "Node", "NodeUnpublishVolume", {}, "OK"),
    ("it is unstaged already", "Node", "NodeUnstageVolume", {}, "OK"),
    ("volumes are not listed from a place that nobody gave", "Controller", "ListVolumes",
     {"startingToken": ABSENT}, "ABORTED"),
    ("nor are snapshots", "Controller", "ListSnapshots", {"startingToken": ABSENT}, "ABORTED"),
)
SOURCES = {"volume": "Controller.CLONE_VOLUME", "snapshot": "Controller.CREATE_DELETE_SNAPSHOT"}


def fields(scene, method):
    """A request for what is not there, whole otherwise."""
    path = scene.pod / "nothing"
    capability = scene.capability()
    by_method = {
        "CreateVolume": scene.create_request(),
        "ValidateVolumeCapabilities": {"volumeCapabilities": [capability]},
        "ControllerExpandVolume": {"capacityRange": BYTES},
        "ControllerPublishVolume": {"nodeId": ABSENT, "volumeCapability": capability},
        "CreateSnapshot": {"name": ABSENT, "sourceVolumeId": ABSENT},
        "DeleteSnapshot": {"snapshotId": ABSENT},
        "ListVolumes": {},
        "ListSnapshots": {},
        "NodeStageVolume": {"stagingTargetPath": str(scene.staging), "volumeCapability": capability},
        "NodeUnstageVolume": {"stagingTargetPath": str(scene.staging)},
        "NodePublishVolume": {"targetPath": str(path), "stagingTargetPath": str(scene.staging),
                              "volumeCapability": capability},
        "NodeUnpublishVolume": {"targetPath": str(path)},
        "NodeGetVolumeStats": {"volumePath": str(path)},
        "NodeExpandVolume": {"volumePath": str(path), "capacityRange": BYTES},
    }
    has_volume = method not in ("CreateVolume", "CreateSnapshot", "DeleteSnapshot", "ListVolumes", "ListSnapshots")
    return {**by_method.get(method, {}), **({"volumeId": ABSENT} if has_volume else {})}


def offers(scene, method, extra):
    needed = [NEEDS.get(method)] + [SOURCES[kind] for kind in extra.get("volumeContentSource", {})]
    return all(each is None or each in scene.capabilities for each in needed)


def without(service, method, field):
    def case(scene):
        request = fields(scene, method)
        del request[field]
        same(scene.answer(service, method, request), "INVALID_ARGUMENT", "status")
    return case


def of_nothing(service, method, extra, expected):
    def case(scene):
        same(scene.answer(service, method, {**fields(scene, method), **extra}), expected, "status")
    return case


def cases(scene):
    """(name, function of a scene) of each line of the tables that the driver offers."""
    missing = [(f"{method} is refused without {field}", without(service, method, field))
               for service, method, names in REQUIRED if offers(scene, method, {}) for field in names]
    unknown = [(name, of_nothing(service, method, extra, expected))
               for name, service, method, extra, expected in UNKNOWN if offers(scene, method, extra)]
    return missing + unknown


def makes_no_raw_one(scene):
    raw = {"accessMode": {"mode": "SINGLE_NODE_WRITER"}, "block": {}}
    request = scene.create_request(volumeCapabilities=[raw])
    same(scene.answer("Controller", "CreateVolume", request), "INVALID_ARGUMENT", "making one")
    volume = scene.volume()
    asked = {"volumeId": volume["volumeId"], "volumeCapabilities": [raw]}
    found = scene.call("Controller", "ValidateVolumeCapabilities", asked)
    holds("confirmed" not in found and found["message"], f"validated as {found}")


def stages_no_raw_one(scene):
    raw = {"accessMode": {"mode": "SINGLE_NODE_WRITER"}, "block": {}}
    volume = scene.volume()
    request = {**scene.stage_request(volume), "volumeCapability": raw}
    same(scene.answer("Node", "NodeStageVolume", request), "INVALID_ARGUMENT", "staging one")
    scene.stage(volume)
    request["targetPath"] = str(scene.pod / "raw")
    same(scene.answer("Node", "NodePublishVolume", request), "INVALID_ARGUMENT", "publishing one")


# Of a driver whose volumes all have a file system.
RAW_ONES = [("a raw volume is not made, nor confirmed", makes_no_raw_one),
            ("a raw volume is neither staged nor published", stages_no_raw_one)]
