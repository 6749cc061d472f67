"""What the node service and the identity service do."""

import re

from scene import holds, same

# The domain name notation that CSI asks of a plugin's name.
PLUGIN_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?")
REPEATS = 5


def plugin_services(scene):
    found = scene.call("Identity", "GetPluginCapabilities").get("capabilities", [])
    return {each["service"]["type"] for each in found if "service" in each}


def tells_who_it_is(scene):
    name = scene.call("Identity", "GetPluginInfo")["name"]
    holds(PLUGIN_NAME.fullmatch(name), f"'{name}' is no name of a plugin")
    same(scene.call("Identity", "Probe"), {"ready": True}, "Probe")


def tells_its_node(scene):
    node = scene.call("Node", "NodeGetInfo")
    holds(node["nodeId"] and int(node.get("maxVolumesPerNode", 0)) >= 0, f"{node} is no node")
    if "VOLUME_ACCESSIBILITY_CONSTRAINTS" in plugin_services(scene):
        holds(node["accessibleTopology"]["segments"], "a node without a place")


def repeats_every_step(scene):
    volume, target = scene.volume(), scene.pod / "volume"
    for step in (lambda: scene.stage(volume), lambda: scene.publish(volume, target)):
        for _ in range(REPEATS):
            step()
    where = {"volumeId": volume["volumeId"], "volumePath": str(target)}
    holds(scene.call("Node", "NodeGetVolumeStats", where).get("usage"), "a volume without usage")
    same(scene.answer("Node", "NodeGetVolumeStats", {**where, "volumePath": str(scene.pod / "elsewhere")}), "NOT_FOUND",
         "statistics where it is not")
    same(scene.answer("Node", "NodeGetVolumeStats", {**where, "volumePath": "some/path"}), "NOT_FOUND",
         "statistics at a relative path")


def leaves_no_target(scene):
    volume, target = scene.published()
    for _ in range(REPEATS):
        scene.call("Node", "NodeUnpublishVolume", {"volumeId": volume["volumeId"], "targetPath": str(target)})
        holds(not target.exists(), f"{target} is still there")
    unstage = {"volumeId": volume["volumeId"], "stagingTargetPath": str(scene.staging)}
    for _ in range(REPEATS):
        scene.call("Node", "NodeUnstageVolume", unstage)


def grows_in_use(scene):
    volume, target = scene.published()
    wanted = {"requiredBytes": str(2 * scene.size)}
    scene.call("Controller", "ControllerExpandVolume", {"volumeId": volume["volumeId"], "capacityRange": wanted})
    where = {"volumeId": volume["volumeId"], "volumePath": str(target)}
    scene.call("Node", "NodeExpandVolume", {**where, "capacityRange": wanted})
    same(scene.answer("Node", "NodeExpandVolume", {"volumeId": volume["volumeId"]}), "INVALID_ARGUMENT",
         "growing it where nobody said")


def keeps_writers_apart(scene):
    """The table of a second publish: another pod of the same node, as the access mode allows."""
    volume, _ = scene.published()
    second = scene.pod / "second"
    lonely = scene.publish_request(volume, second, "SINGLE_NODE_SINGLE_WRITER")
    same(scene.answer("Node", "NodePublishVolume", lonely), "FAILED_PRECONDITION", "a second one of SINGLE_WRITER")
    scene.publish(volume, second, "SINGLE_NODE_MULTI_WRITER")


CASES = (
    ("the plugin tells who it is, and is ready", tells_who_it_is, None),
    ("the node tells who it is, and where", tells_its_node, None),
    ("staging and publishing may be repeated; a volume has usage where it is", repeats_every_step,
     "Node.GET_VOLUME_STATS"),
    ("unpublishing leaves no target behind, and may be repeated", leaves_no_target, "Node.STAGE_UNSTAGE_VOLUME"),
    ("a volume grows while it is used", grows_in_use, "Node.EXPAND_VOLUME"),
    ("a second writer is let in by the mode that allows it alone", keeps_writers_apart,
     "Node.SINGLE_NODE_MULTI_WRITER"),
)
