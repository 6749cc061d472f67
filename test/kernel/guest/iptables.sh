#!/bin/bash
# Rules on a kernel whose nf_tables has no family ip, by programs of an image whose `iptables` is iptables-nft.
source "$(dirname "$0")/../../tap.sh"

programs=$(cd "$(dirname "$0")/../../.." && pwd)/build/guest/bin

as_in_image() {
  local name
  for name in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do
    ln -sf xtables-nft-multi "/usr/sbin/$name" || return 1
  done
}

# with RIGHTS COMMAND...: as root with these capabilities alone.
with() { setpriv --bounding-set="-all,$1" --inh-caps=-all "${@:2}"; }

plan 4
check "iptables is as in our image" as_in_image
check "the kernel does not take it" fails iptables -w -N TRY
check "rules go by the other iptables" "$programs/firewall_kernel_test"
# test programs make namespaces, which takes SYS_ADMIN
check "for which egw-core's rights are enough" with +net_admin,+net_raw,+sys_admin "$programs/firewall_kernel_test"
