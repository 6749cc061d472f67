#!/bin/bash
# csi_disk.sh with SCSI disks, as a cloud's machine has them: they come and go with uevents and tell their own serial numbers.
source "$(dirname "$0")/../../tap.sh"

tree=$(cd "$(dirname "$0")/../../.." && pwd)
disk_profile=/tmp/profile.json
source "$(dirname "$0")/../disk_cloud.sh"

plan 8
check "a cloud of SCSI disks is started" start_disk_cloud --as=scsi
exec /usr/bin/python3 -B "$tree/test/kernel/disk/life_story.py" "${disk_flags[@]}"
