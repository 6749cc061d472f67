#!/bin/bash
# As csi_nas_outages.sh, with nfs-ganesha for a server. GUEST_CYCLES and GUEST_OUTAGE likewise; by themselves the least.
source "$(dirname "$0")/../../tap.sh"
source "$(dirname "$0")/../nfs_servers.sh"

tree=$(cd "$(dirname "$0")/../../.." && pwd)

plan 13
check "NFS servers are started" start_nfs_servers 2 serve_by_ganesha
mkdir -p /var/lib/kubelet/{pods,plugins_registry}
in_node /usr/bin/python3 -B "$tree/test/kernel/nas/nas_outages.py" "${GUEST_CYCLES:-4}" "${GUEST_OUTAGE:-10}" 2
