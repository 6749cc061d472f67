#!/bin/bash
# LVM as csi-lvm uses it: the contract of its port, held against LVM itself by both runners, and volumes made of it.
source "$(dirname "$0")/../../tap.sh"
source "$(dirname "$0")/../volume_group.sh"

tree=$(cd "$(dirname "$0")/../../.." && pwd)
programs=$tree/build/guest/bin

guest_test() { env HOLDFAST_BIN="$tree/build/bin" "$programs/csi_lvm_guest_test" "$@"; }

plan 7
check "a group of two disks is made" make_group contract 256M
check "what the port promises holds" guest_test '[lvm contract]'
check "volumes are made, cleaned and removed, many at once" guest_test '[lvm volumes]'
check "volumes take the content of others, pools fill and grow" guest_test '[lvm content]'
check "what commands that were killed have left is put in order" guest_test '[lvm leftovers]'
check "20 tenants on the same extents find nothing of each other" guest_test '[lvm tenants]'
check "LVM's own list of the host's devices was not made" fails test -e /etc/lvm/devices/system.devices
