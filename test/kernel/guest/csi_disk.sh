#!/bin/bash
# csi-disk as it is shipped, on a cloud that has no machines but this one: the life of a volume from CreateVolume to
# DeleteVolume, with its data kept throughout.
source "$(dirname "$0")/../../tap.sh"

tree=$(cd "$(dirname "$0")/../../.." && pwd)
source "$(dirname "$0")/../disk_cloud.sh"

plan 8
check "a cloud of disks is started" start_disk_cloud
exec /usr/bin/python3 -B "$tree/test/kernel/disk/life_story.py" "${disk_flags[@]}"
