#!/bin/bash
# The node's side of csi-disk as it is shipped, with a disk that cannot be read or written here and there, and then answers nothing.
source "$(dirname "$0")/../../tap.sh"

tree=$(cd "$(dirname "$0")/../../.." && pwd)

plan 6
check "the modules load" modprobe -a loop dm-mod dm-flakey dm-delay ext4
exec /usr/bin/python3 -B "$tree/test/kernel/disk/bad_disk_story.py"
