#!/bin/bash
# csi-lvm as it is shipped, before the cases that every CSI driver must pass (test/csi_suite).
source "$(dirname "$0")/../../tap.sh"
source "$(dirname "$0")/../volume_group.sh"

tree=$(cd "$(dirname "$0")/../../.." && pwd)
socket=/run/suite/csi.sock

make_group suite 512M >/out/group 2>&1 || { cat /out/group && exit 1; }
mkdir -p /var/lib/kubelet/plugins_registry
"$tree/build/bin/csi-lvm" --node-id=edge-1 --endpoint="unix://$socket" 2>/out/driver.log &
within 20 test -S $socket || { cat /out/driver.log && exit 1; }
exec /usr/bin/python3 -B "$tree/test/csi_suite/suite.py" --parameters=vgName=suite,volumeType=LVM \
  --advertised="$tree/test/csi_suite/csi_lvm.txt" "$tree" $socket
