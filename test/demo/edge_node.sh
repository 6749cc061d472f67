#!/bin/bash
# Process 1 of a node of the overlay's demo, in network, mount and pid namespaces that end with it: nothing outlives
# it but its disk.
#   edge_node.sh DISK
# Prints "booted" when other programs may enter.
set -euo pipefail

disk=$1

mount --make-rprivate /
mount -t tmpfs -o mode=755 run /run
mkdir -p /run/netns "$disk/var-lib"
mount --bind "$disk/var-lib" /var/lib
# This kernel goes on running, so a node that boots gets a boot id of its own.
cat /proc/sys/kernel/random/uuid >/run/boot_id
mount --bind /run/boot_id /proc/sys/kernel/random/boot_id
ip link set lo up
echo booted
exec sleep infinity
