#!/usr/bin/python3
"""The node's side of csi-disk on disks that come late, under other names, grow, and hold somebody's data. Prints TAP."""

import concurrent.futures
import os
import statistics
import subprocess
import sys
import threading
import time

from disks import Disk, Node, Volume, milliseconds_of, require, run, tell, total_mib

PARALLEL = 16
ROUNDS = 3


def new_disk_is_formatted_once(node):
    disk = Disk("new1").attach()
    volume = Volume("d-new1", "new1", "new")
    node.use(volume)
    (volume.target / "data").write_text("kept")
    require(run("blkid", "-o", "value", "-s", "TYPE", disk.device) == "ext4", "it is no ext4")
    node.leave(volume)
    node.use(volume)  # with the word of the first attachment, as after a boot
    require((volume.target / "data").read_text() == "kept", "the data is gone")
    node.leave(volume)
    disk.detach()


def data_follows_the_serial_number(node):
    first, second = Disk("a1").attach(), Disk("a2", 320).attach()
    one, two = Volume("d-a1", "a1", "new"), Volume("d-a2", "a2", "new", "xfs")
    for volume in (one, two):
        node.use(volume)
        (volume.target / "name").write_text(volume.name)
        node.leave(volume)
    names = first.device, second.device
    first.detach()
    second.detach()
    second.attach()
    first.attach()
    require((first.device, second.device) == names[::-1], "the devices have not changed places")
    for volume in (one, two):
        node.use(volume)
        require((volume.target / "name").read_text() == volume.name, "it is the wrong disk")
        node.leave(volume)
    first.detach()
    second.detach()


def late_disk_is_waited_for(node):
    disk = Disk("late")
    volume = Volume("d-late", "late", "new")
    timer = threading.Timer(0.5, disk.attach)
    timer.start()
    node.stage(volume)
    timer.join()
    node.leave(volume)
    disk.detach()


def wrong_disks_are_refused(node):
    twin, other = Disk("twin").attach(), Disk("other").attach()
    # A link that leads to another disk.
    twin.detach()
    os.symlink(other.device, "/run/by-id/virtio-twin")
    require(node.answer("NodeStageVolume", Volume("d-twin", "twin", "new").request) == "UNAVAILABLE", "it was staged")
    require(not any(open(other.image, "rb").read()), "another disk was written")
    os.unlink("/run/by-id/virtio-twin")
    # Two devices of one serial number.
    twin.attach()
    again = run("losetup", "--find", "--show", twin.image)
    require(node.answer("NodeStageVolume", Volume("d-twin", "twin", "new").request) == "FAILED_PRECONDITION",
            "one of two was taken")
    run("losetup", "--detach", again)
    # One disk as two volumes.
    node.stage(Volume("d-twin", "twin", "new"))
    require(node.answer("NodeStageVolume", Volume("d-more", "twin", "maybe").request) == "FAILED_PRECONDITION",
            "a disk is two volumes")
    node.leave(Volume("d-twin", "twin"))
    twin.detach()
    other.detach()


def foreign_data_is_kept(node):
    disk = Disk("old").attach()
    run("mkfs.ext4", "-q", disk.device)
    for content in ("new", "maybe"):
        volume = Volume("d-old", "old", content)
        node.use(volume)
        (volume.target / content).write_text("x")
        node.leave(volume)
    require(node.answer("NodeStageVolume", Volume("d-old", "old", "maybe", "xfs").request) == "FAILED_PRECONDITION",
            "an ext4 was taken for an xfs")
    disk.detach()


def volume_grows_in_use(node):
    disk = Disk("grow", 320).attach()
    volume = Volume("d-grow", "grow", "new", "xfs")
    node.use(volume)
    require(node.answer("NodeExpandVolume", {**volume.path, "capacityRange": {"requiredBytes": str(400 << 20)}}) ==
            "UNAVAILABLE", "it grew to what the disk does not have")
    disk.grow(400)
    node.expand(volume, 400)
    require(total_mib(volume.target) > 330, f"it has {total_mib(volume.target)} MiB")
    node.leave(volume)
    disk.detach()
    disk = Disk("grow4", 64).attach()
    volume = Volume("d-grow4", "grow4", "new")
    node.use(volume)
    disk.grow(128)
    node.expand(volume, 128)
    require(total_mib(volume.target) > 100, f"it has {total_mib(volume.target)} MiB")
    node.leave(volume)
    disk.detach()


def only_partition_is_the_volume(node):
    disk = Disk("part", 64)
    subprocess.run(["sfdisk", "-q", disk.image], input="label: gpt\n,\n", text=True, check=True)
    os.truncate(disk.image, 96 << 20)
    disk.attach(partitions=True)
    part = disk.device + "p1"
    run("mkfs.ext4", "-q", part)
    volume = Volume("d-part", "part")
    node.use(volume)
    require(total_mib(volume.target) > 75, f"after the disk had grown it has {total_mib(volume.target)} MiB")
    disk.grow(160)
    node.expand(volume, 160)
    require(total_mib(volume.target) > 130, f"it has {total_mib(volume.target)} MiB")
    node.leave(volume)
    disk.detach()


def raw_volume_is_the_device(node):
    disk = Disk("raw").attach()
    volume = Volume("d-raw", "raw", "new", "block")
    node.use(volume)
    with open(volume.target, "r+b", buffering=0) as device:
        device.write(b"mine" * 128)
    disk.grow(128)
    node.expand(volume, 128)
    node.leave(volume)
    disk.detach()
    require(open(disk.image, "rb").read(4) == b"mine", "nothing was written")


def copy_of_an_xfs_is_mounted_beside_it(node):
    source, copy = Disk("x1", 320).attach(), Disk("x2", 320)
    one, two = Volume("d-x1", "x1", "new", "xfs"), Volume("d-x2", "x2", "maybe", "xfs")
    node.use(one)
    (one.target / "data").write_text("cut")
    node.leave(one)
    run("cp", "--sparse=always", source.image, copy.image)
    copy.attach()
    node.use(one)
    node.use(two)
    require((two.target / "data").read_text() == "cut", "the copy is another")
    node.leave(two)
    node.leave(one)
    source.detach()
    copy.detach()


def killed_driver_goes_on(node):
    disk = Disk("kill").attach()
    volume = Volume("d-kill", "kill", "new")
    node.stage(volume)
    node.kill()
    node.start()
    node.publish(volume)
    (volume.target / "data").write_text("kept")
    node.kill()
    node.start()
    require(node.answer("NodeUnstageVolume", {"volumeId": volume.name, "stagingTargetPath": str(volume.staging)}) ==
            "FAILED_PRECONDITION", "it was unstaged while a pod has it")
    node.leave(volume)
    disk.detach()


def staging_costs_little(node):
    """From the disk's being there to its being mounted, less what mount(8) itself takes of the same disks, one by one and together."""
    disks = [Disk(f"many{n}", 16) for n in range(PARALLEL)]
    for disk in disks:
        run("mkfs.ext4", "-q", disk.image)
        disk.attach()
    volumes = [Volume(f"d-{disk.serial}", disk.serial) for disk in disks]
    pairs = list(zip(volumes, disks))
    singles, mounts = [], []
    for volume, disk in pairs:
        singles.append(milliseconds_of(lambda: node.stage(volume)))
        node.leave(volume)
        mounts.append(milliseconds_of(lambda: mount_by_hand(disk)))
        unmount_by_hand(disk)
    rounds = [staged_and_mounted_at_once(node, pairs) for _ in range(ROUNDS)]
    for disk in disks:
        disk.detach()
    single, mount = statistics.median(singles), statistics.median(mounts)
    # The least of the rounds: what else the machine does meanwhile makes either longer, and nothing makes one shorter.
    together, by_hand = (min(times) / PARALLEL for times in zip(*rounds))
    print(f"# with {PARALLEL} disks attached NodeStageVolume takes {single:.0f} ms, mount(8) {mount:.0f} ms; "
          f"{PARALLEL} at once {together:.0f} ms each, mount(8) {by_hand:.0f} ms", flush=True)
    require(single - mount <= 50, f"{single - mount:.0f} ms beyond mount(8)")
    require(together - by_hand <= 50, f"{together - by_hand:.0f} ms beyond mount(8), in parallel")


def staged_and_mounted_at_once(node, pairs):
    """Milliseconds until all volumes are staged, and until all disks are mounted by mount(8)."""
    with concurrent.futures.ThreadPoolExecutor(len(pairs)) as pool:
        staged = milliseconds_of(lambda: list(pool.map(lambda pair: node.stage(pair[0]), pairs)))
        for volume, _ in pairs:
            node.leave(volume)
        mounted = milliseconds_of(lambda: list(pool.map(lambda pair: mount_by_hand(pair[1]), pairs)))
        for _, disk in pairs:
            unmount_by_hand(disk)
    return staged, mounted


def mount_by_hand(disk):
    os.makedirs(f"/tmp/{disk.serial}", exist_ok=True)
    run("mount", disk.device, f"/tmp/{disk.serial}")


def unmount_by_hand(disk):
    run("umount", f"/tmp/{disk.serial}")


def node_tells_itself(node):
    info = node.call("NodeGetInfo", {})
    require(info["nodeId"] == "i-1", info)
    require(info["accessibleTopology"]["segments"] == {"topology.sim.disk.csi.holdfast.dev/zone": "z-1"}, info)
    require(int(info["maxVolumesPerNode"]) in range(30, 41), info)


CASES = (
    ("a node tells the cloud's name for it, its zone and its room", node_tells_itself),
    ("a new disk is formatted once", new_disk_is_formatted_once),
    ("data follows the serial number when devices change places", data_follows_the_serial_number),
    ("a disk that comes late is waited for", late_disk_is_waited_for),
    ("wrong disks are refused, and not touched", wrong_disks_are_refused),
    ("somebody's data is kept, whatever was said of the disk", foreign_data_is_kept),
    ("a volume grows while it is in use", volume_grows_in_use),
    ("the only partition of a disk is the volume, and grows", only_partition_is_the_volume),
    ("a raw volume is the device itself", raw_volume_is_the_device),
    ("a copy of an XFS is mounted beside it", copy_of_an_xfs_is_mounted_beside_it),
    ("a driver that is killed goes on where it was", killed_driver_goes_on),
    ("staging costs hardly more than mount(8), also in parallel", staging_costs_little),
)


if __name__ == "__main__":
    sys.exit(tell(CASES, Node()))
