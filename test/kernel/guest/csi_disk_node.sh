#!/bin/bash
# The node's side of csi-disk as it is shipped, by its socket, on disks that come, go and grow as a cloud's do.
source "$(dirname "$0")/../../tap.sh"

tree=$(cd "$(dirname "$0")/../../.." && pwd)

plan 13
check "the modules load" modprobe -a loop xfs ext4
exec /usr/bin/python3 -B "$tree/test/kernel/disk/node_story.py"
