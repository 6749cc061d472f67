#!/bin/bash
# A node of a pool with gateways loses its power: when it is back, and nobody tells it anything, its ranges are closed
# before anything could be sent in clear.
source "$(dirname "$0")/../../tap.sh"

here=$(cd "$(dirname "$0")/.." && pwd)
lab=$here/lab.sh
disk=$LAB_OUT/disk

node() { "$lab" exec 1 "$here/gateway_node.sh $*"; }
boots() { "$lab" start 1 "$disk" && node boot; }
says() { node page '/readyz?verbose' | grep -qF "$1"; }
is_told() { node publish && node helper && within 20 node closed; }
# The bar is a second after its start; a guest beside others on a busy machine takes longer.
closes_soon() { node once >"$LAB_OUT/once" && node closed && [[ $(<"$LAB_OUT/once") -le 5000 ]]; }

plan 10
check "a disk is made" eval 'truncate -s 64M "$disk" && mkfs.ext4 -q "$disk"'
check "the network comes up" "$lab" up
check "the node boots" boots
check "packets for the VPC leave it by the uplink as long as it knows of no pool" eval '[[ $(node leaving) -ge 3 ]]'
check "told of its pool it closes the VPC's ranges" is_told
check "what it was told is on its disk" within 20 says '[+]StateStored'
check "it loses power" "$lab" kill 1
check "it boots, its ranges open" eval 'boots && fails node closed'
check "egw-helper --once closes them by what is stored, soon after its start" closes_soon
echo "# closed after $(<"$LAB_OUT/once") ms"
check "nothing for the VPC leaves by the uplink, also under a helper that nobody tells anything" eval \
  '[[ $(node leaving) -eq 0 ]] && node helper && within 20 says "[+]PoolKnown" && node closed && [[ $(node leaving) -eq 0 ]]'
