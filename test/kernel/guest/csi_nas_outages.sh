#!/bin/bash
# csi-nas as it is shipped, with NFS servers that die again and again, and some that are dead for a minute and more.
#     GUEST_CYCLES=1000       how often servers die; of more than 100, eight at a time and not four
#     GUEST_OUTAGE=3600       for how many seconds four others are dead
source "$(dirname "$0")/../../tap.sh"
source "$(dirname "$0")/../nfs_servers.sh"

tree=$(cd "$(dirname "$0")/../../.." && pwd)

cycles=${GUEST_CYCLES:-4}
fours=$((cycles > 100 ? 3 : 2))

plan 13
check "NFS servers are started" start_nfs_servers "$fours"
mkdir -p /var/lib/kubelet/{pods,plugins_registry}
in_node /usr/bin/python3 -B "$tree/test/kernel/nas/nas_outages.py" "$cycles" "${GUEST_OUTAGE:-75}" "$fours"
