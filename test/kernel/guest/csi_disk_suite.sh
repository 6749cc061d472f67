#!/bin/bash
# csi-disk as it is shipped, on a cloud that has no machines but this one, before the cases that every CSI driver must pass
# (test/csi_suite), and the public test suite of CSI drivers, if $CSI_SANITY or /usr/local/bin has it.
source "$(dirname "$0")/../../tap.sh"

tree=$(cd "$(dirname "$0")/../../.." && pwd)
socket=/run/suite/csi.sock
source "$(dirname "$0")/../disk_cloud.sh"

start_disk_cloud --as=loop || { cat /out/disk-sim && exit 1; }
"$tree/build/bin/csi-disk" "${disk_flags[@]}" --endpoint="unix://$socket" 2>/out/driver.log &
within 20 test -S $socket || { cat /out/driver.log && exit 1; }
exec /usr/bin/python3 -B "$tree/test/csi_suite/suite.py" --parameters=type=cloud_essd,performanceLevel=PL0 --size=$((1 << 30)) \
  --advertised="$tree/test/csi_suite/csi_disk.txt" --public="${CSI_SANITY:-/usr/local/bin/csi-sanity}" "$tree" $socket
