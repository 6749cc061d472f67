#!/bin/bash
# common/netlink on a kernel that has VLAN filtering, which some lack, and is older than most machines' (6.1 echoes
# no created link). It has no nf_tables families, so those cases stay on the host.
source "$(dirname "$0")/../../tap.sh"

programs=$(cd "$(dirname "$0")/../../.." && pwd)/build/guest/bin

plan 3
check "the modules load" modprobe -a bridge veth vxlan
check "bridges filter VLANs" "$programs/netlink_kernel_test"
check "links, addresses, routes, neighbours, rules, events, batches" "$programs/netlink_netns_test" '~[nftables]'
