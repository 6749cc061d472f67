#!/bin/bash
# A node of a cluster whose volumes are the packages' units', as docs/debian-packages.md has it: a Debian of its own with two blank
# disks, which a guest boots twice, the second time with no cloud.
source "$(dirname "$0")/../tap.sh"
source "$(dirname "$0")/../kernel/debian_guest.sh"

skip_without_debian "a node's volumes are served by units"
work=$tree/out/cluster_node_volumes_test
make_root "$work" cluster_node_volumes.sh
truncate -s 200M "$work/disk-a" "$work/disk-b"

echo "$tree" >"$work/root/test/tree"
/usr/bin/python3 -B "$tree/test/release/node_admin.py" "$work/root" certificate

# Each boot makes the checks of its own; the plan is the first one's.
status=0
for boot in online offline; do
  echo "$boot" >"$work/root/test/boot"
  boot_root "$work" "ubd0=$work/disk-a" "ubd1=$work/disk-b" || status=$?
done
exit "$status"
