"""Volumes and snapshots, as the controller service makes and lists them."""

from scene import holds, same

LONGEST_NAME = 128


def confirms_what_a_volume_can_do(scene):
    volume = scene.volume()
    asked = {"volumeId": volume["volumeId"], "volumeCapabilities": [scene.capability()]}
    confirmed = scene.call("Controller", "ValidateVolumeCapabilities", asked).get("confirmed", {})
    same(len(confirmed.get("volumeCapabilities", [])), 1, "capabilities that are confirmed")


def creates_once(scene):
    request = scene.create_request()
    first = scene.volume(**request)
    holds(int(first["capacityBytes"]) >= scene.size, f"{first} is smaller than {scene.size}")
    again = scene.call("Controller", "CreateVolume", request)["volume"]
    same(again["volumeId"], first["volumeId"], "the volume of the same request")
    twice = {"requiredBytes": str(2 * scene.size), "limitBytes": str(2 * scene.size)}
    other = scene.answer("Controller", "CreateVolume", {**request, "capacityRange": twice})
    same(other, "ALREADY_EXISTS", "a request of another size under that name")


def creates_without_a_size(scene):
    holds(scene.volume(capacityRange=None)["volumeId"], "a volume without an id")


def creates_under_the_longest_name(scene):
    request = scene.create_request(name="n" * LONGEST_NAME)
    first = scene.volume(**request)
    same(scene.call("Controller", "CreateVolume", request)["volume"]["volumeId"], first["volumeId"], "the volume")


def deletes_twice(scene):
    gone = {"volumeId": scene.volume()["volumeId"]}
    same([scene.answer("Controller", "DeleteVolume", gone) for _ in range(2)], ["OK", "OK"], "status")


def listed(scene, method, **more):
    """Ids of all entries, page by page."""
    kind, key = ("volume", "volumeId") if method == "ListVolumes" else ("snapshot", "snapshotId")
    found, token = [], ""
    while True:
        page = scene.call("Controller", method, {**more, "startingToken": token})
        entries = [each[kind][key] for each in page.get("entries", [])]
        holds(len(entries) <= (more.get("maxEntries") or len(entries)), f"a page of {len(entries)}")
        found += entries
        token = page.get("nextToken", "")
        if not token:
            return found


def lists_volumes(scene):
    before = listed(scene, "ListVolumes")
    made = [scene.volume()["volumeId"] for _ in range(3)]
    for size in (0, 2):
        now = listed(scene, "ListVolumes", maxEntries=size)
        same(sorted(now), sorted(before + made), f"volumes by {size or 'all'}")
    scene.call("Controller", "DeleteVolume", {"volumeId": made[0]})
    same(sorted(listed(scene, "ListVolumes")), sorted(before + made[1:]), "volumes after one was deleted")


def looks_a_volume_up(scene):
    volume = scene.volume()
    found = scene.call("Controller", "ControllerGetVolume", {"volumeId": volume["volumeId"]})
    same(found["volume"]["volumeId"], volume["volumeId"], "the volume")


def tells_capacity(scene):
    same(scene.answer("Controller", "GetCapacity", {}), "OK", "status without any argument")


def grows(scene):
    volume = scene.volume()
    wanted = str(2 * scene.size)
    request = {"volumeId": volume["volumeId"], "capacityRange": {"requiredBytes": wanted},
               "volumeCapability": scene.capability()}
    for _ in range(2):
        grown = scene.call("Controller", "ControllerExpandVolume", request)
        same(grown["capacityBytes"], wanted, "capacity")


def takes_a_snapshot_once(scene):
    source, other = scene.volume()["volumeId"], scene.volume()["volumeId"]
    first = scene.snapshot(source)
    same(first["sourceVolumeId"], source, "source")
    holds(first.get("creationTime"), "a snapshot without a time")
    name = scene.name()
    ids = {scene.snapshot(source, name)["snapshotId"] for _ in range(2)}
    same(len(ids), 1, "snapshots of one request")
    stolen = scene.answer("Controller", "CreateSnapshot", {"name": name, "sourceVolumeId": other})
    same(stolen, "ALREADY_EXISTS", "a snapshot of another volume under that name")
    gone = {"snapshotId": first["snapshotId"]}
    same([scene.answer("Controller", "DeleteSnapshot", gone) for _ in range(2)], ["OK", "OK"], "status")


def takes_a_snapshot_under_the_longest_name(scene):
    source, name = scene.volume()["volumeId"], "s" * LONGEST_NAME
    ids = {scene.snapshot(source, name)["snapshotId"] for _ in range(2)}
    same(len(ids), 1, "snapshots of one request")


def lists_snapshots(scene):
    before = listed(scene, "ListSnapshots")
    sources = [scene.volume()["volumeId"] for _ in range(3)]
    made = [scene.snapshot(source)["snapshotId"] for source in sources]
    for size in (0, 2):
        same(sorted(listed(scene, "ListSnapshots", maxEntries=size)), sorted(before + made), f"by {size or 'all'}")
    same(listed(scene, "ListSnapshots", snapshotId=made[1]), [made[1]], "by its id")
    same(listed(scene, "ListSnapshots", sourceVolumeId=sources[2]), [made[2]], "by its source")
    for nothing in ({"snapshotId": "suite-there-is-none"}, {"sourceVolumeId": "suite-there-is-none"}):
        same(listed(scene, "ListSnapshots", **nothing), [], f"by {nothing}")
    scene.call("Controller", "DeleteSnapshot", {"snapshotId": made[0]})
    same(sorted(listed(scene, "ListSnapshots")), sorted(before + made[1:]), "after one was deleted")


def copies_a_volume(scene):
    source = scene.volume()["volumeId"]
    copy = scene.volume(volumeContentSource={"volume": {"volumeId": source}})
    holds(copy["volumeId"] != source, "the copy is the source")
    same(copy["contentSource"]["volume"]["volumeId"], source, "what it says it came from")


def restores_a_snapshot(scene):
    snapshot = scene.snapshot(scene.volume()["volumeId"])
    holds(snapshot.get("readyToUse"), "the snapshot is not ready")
    copy = scene.volume(volumeContentSource={"snapshot": {"snapshotId": snapshot["snapshotId"]}})
    same(copy["contentSource"]["snapshot"]["snapshotId"], snapshot["snapshotId"], "what it says it came from")


CASES = (
    ("a volume is made once for a request, however often it comes", creates_once, "Controller.CREATE_DELETE_VOLUME"),
    ("a volume needs no size", creates_without_a_size, "Controller.CREATE_DELETE_VOLUME"),
    ("a volume bears the longest name there is", creates_under_the_longest_name, "Controller.CREATE_DELETE_VOLUME"),
    ("a volume is deleted, and deleted again", deletes_twice, "Controller.CREATE_DELETE_VOLUME"),
    ("what a volume can do is confirmed", confirms_what_a_volume_can_do, "Controller.CREATE_DELETE_VOLUME"),
    ("volumes are listed, also by pages", lists_volumes, "Controller.LIST_VOLUMES"),
    ("a volume is looked up", looks_a_volume_up, "Controller.GET_VOLUME"),
    ("capacity is told to who asks for none in particular", tells_capacity, "Controller.GET_CAPACITY"),
    ("a volume grows to the very byte", grows, "Controller.EXPAND_VOLUME"),
    ("a snapshot is taken once for a request", takes_a_snapshot_once, "Controller.CREATE_DELETE_SNAPSHOT"),
    ("a snapshot bears the longest name there is", takes_a_snapshot_under_the_longest_name,
     "Controller.CREATE_DELETE_SNAPSHOT"),
    ("snapshots are listed, by pages, by id and by source", lists_snapshots, "Controller.LIST_SNAPSHOTS"),
    ("a volume is copied", copies_a_volume, "Controller.CLONE_VOLUME"),
    ("a snapshot is restored", restores_a_snapshot, "Controller.CREATE_DELETE_SNAPSHOT"),
)
