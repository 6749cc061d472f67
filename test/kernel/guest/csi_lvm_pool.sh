#!/bin/bash
# csi-lvm as it is shipped, with a thin pool whose metadata fill.
source "$(dirname "$0")/../../tap.sh"

tree=$(cd "$(dirname "$0")/../../.." && pwd)

plan 6
check "the modules load" modprobe -a loop dm-thin-pool ext4
exec /usr/bin/python3 -B "$tree/test/kernel/disk/pool_story.py"
