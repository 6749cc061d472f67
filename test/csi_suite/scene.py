"""A driver, and the volumes that a case makes of it."""

import itertools
import pathlib

import csi_driver


class Scene:
    """What a case works with; clear() takes away what it has made, in the order that its parts need.

    `access` is "mount" or "block", `size` what a volume has at first. Answers are dictionaries of JSON names.
    """

    def __init__(self, driver, access, folder, parameters, size):
        self._driver = driver
        self._names = itertools.count(1)
        self._undo = []
        self._parameters = parameters
        self.access = access
        self.size = size
        self.staging = pathlib.Path(folder) / f"plugins/suite-{access}/globalmount"
        self.pod = pathlib.Path(folder) / f"pods/suite-{access}"
        self.capabilities = self._capabilities()

    def _capabilities(self):
        found = set()
        for service, method in (("Controller", "ControllerGetCapabilities"), ("Node", "NodeGetCapabilities")):
            for each in self.call(service, method).get("capabilities", []):
                found.add(f"{service}.{each['rpc']['type']}")
        return found

    def call(self, service, method, request=None):
        return self._driver.call(service, method, request)

    def answer(self, service, method, request):
        """The name of the status of one try."""
        return self._driver.first_answer(service, method, request)

    def capability(self, mode="SINGLE_NODE_WRITER"):
        return {"accessMode": {"mode": mode}, self.access: {}}

    def name(self):
        return f"suite-{self.access}-{next(self._names)}"

    def create_request(self, **more):
        exactly = {"requiredBytes": str(self.size), "limitBytes": str(self.size)}
        return {"name": self.name(), "capacityRange": exactly, "parameters": self._parameters,
                "volumeCapabilities": [self.capability()], **more}

    def volume(self, **more):
        """A new volume, as CreateVolume answers it."""
        made = self.call("Controller", "CreateVolume", self.create_request(**more))["volume"]
        self._undo.append(("Controller", "DeleteVolume", {"volumeId": made["volumeId"]}))
        return made

    def snapshot(self, source, name=None):
        wanted = {"name": name or self.name(), "sourceVolumeId": source}
        made = self.call("Controller", "CreateSnapshot", wanted)["snapshot"]
        self._undo.append(("Controller", "DeleteSnapshot", {"snapshotId": made["snapshotId"]}))
        return made

    def stage_request(self, volume):
        return {"volumeId": volume["volumeId"], "stagingTargetPath": str(self.staging),
                "volumeCapability": self.capability(), "volumeContext": volume.get("volumeContext", {})}

    def attach(self, volume):
        """What the controller tells the node with an attached volume; nothing where none is attached."""
        if "Controller.PUBLISH_UNPUBLISH_VOLUME" not in self.capabilities:
            return {}
        where = {"volumeId": volume["volumeId"], "nodeId": self.call("Node", "NodeGetInfo")["nodeId"]}
        wanted = {**where, "volumeCapability": self.capability(), "volumeContext": volume.get("volumeContext", {})}
        attached = self.call("Controller", "ControllerPublishVolume", wanted)
        self._undo.append(("Controller", "ControllerUnpublishVolume", where))
        return attached.get("publishContext", {})

    def stage(self, volume):
        self.staging.mkdir(parents=True, exist_ok=True)
        attachment = self.attach(volume)
        self.call("Node", "NodeStageVolume", {**self.stage_request(volume), "publishContext": attachment})
        self._undo.append(("Node", "NodeUnstageVolume",
                           {"volumeId": volume["volumeId"], "stagingTargetPath": str(self.staging)}))

    def publish_request(self, volume, target, mode):
        return {**self.stage_request(volume), "targetPath": str(target), "volumeCapability": self.capability(mode)}

    def publish(self, volume, target, mode="SINGLE_NODE_WRITER"):
        target.parent.mkdir(parents=True, exist_ok=True)
        self.call("Node", "NodePublishVolume", self.publish_request(volume, target, mode))
        self._undo.append(("Node", "NodeUnpublishVolume", {"volumeId": volume["volumeId"], "targetPath": str(target)}))

    def published(self):
        """A new volume and where a pod finds it."""
        volume, target = self.volume(), self.pod / "volume"
        self.stage(volume)
        self.publish(volume, target)
        return volume, target

    def clear(self):
        while self._undo:
            self.call(*self._undo.pop())


def connect(socket, messages):
    driver = csi_driver.Driver(socket, messages)
    driver.wait_until_ready(30)
    return driver


def same(actual, expected, what):
    if actual != expected:
        raise AssertionError(f"{what}: {actual}, not {expected}")


def holds(truth, what):
    if not truth:
        raise AssertionError(what)
