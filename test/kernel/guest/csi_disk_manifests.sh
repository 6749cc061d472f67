#!/bin/bash
# Volumes of the manifests that users of the clouds have, on disks that tell the serial numbers which these clouds' disks tell.
source "$(dirname "$0")/../../tap.sh"

tree=$(cd "$(dirname "$0")/../../.." && pwd)

plan 7
check "the modules load" modprobe -a loop xfs ext4 quota_v2 configfs target_core_mod target_core_iblock tcm_loop sd_mod
ip link set lo up
mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
mkdir -p /var/lib/kubelet/{pods,plugins_registry} /tmp/devices
exec /usr/bin/python3 -B "$tree/test/kernel/disk/manifests_story.py"
