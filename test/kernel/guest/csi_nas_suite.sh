#!/bin/bash
# csi-nas as it is shipped, on the kernel's NFS server, before the cases that every CSI driver must pass (test/csi_suite),
# and the public test suite of CSI drivers, if $CSI_SANITY or /usr/local/bin has it.
source "$(dirname "$0")/../../tap.sh"
source "$(dirname "$0")/../nfs_server.sh"

tree=$(cd "$(dirname "$0")/../../.." && pwd)
socket=/run/suite/csi.sock

start_nfs_server >/out/server 2>&1 || { cat /out/server && exit 1; }
mkdir -p /var/lib/kubelet/{pods,plugins_registry}
in_node "$tree/build/bin/csi-nas" --mode=all --node-id=edge-1 --endpoint="unix://$socket" 2>/out/driver.log &
within 20 test -S $socket || { cat /out/driver.log && exit 1; }
exec /usr/bin/python3 -B "$tree/test/csi_suite/suite.py" --parameters=server=10.9.0.1:/srv/share,onDelete=delete --mount-only \
  --advertised="$tree/test/csi_suite/csi_nas.txt" --public="${CSI_SANITY:-/usr/local/bin/csi-sanity}" "$tree" $socket
