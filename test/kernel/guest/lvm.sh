#!/bin/bash
# LVM as csi-lvm uses it: the contract of its port, held against LVM itself by both runners, and volumes made of it.
source "$(dirname "$0")/../../tap.sh"

tree=$(cd "$(dirname "$0")/../../.." && pwd)
programs=$tree/build/bench/bin

# Two disks of 256 MiB, of which LVM keeps 1 MiB each and gives the rest in extents of 4 MiB.
make_group() {
  local disk
  local -a disks=()
  modprobe -a dm-mod dm-thin-pool dm-snapshot loop && mkdir -p /run/lvm /run/lock/lvm || return
  for disk in 0 1; do
    truncate -s 256M "/tmp/disk$disk" && disks+=("$(losetup --find --show "/tmp/disk$disk")") || return
  done
  vgcreate --config 'activation/udev_sync=0 devices/obtain_device_list_from_udev=0 devices/use_devicesfile=1' \
    --devicesfile holdfast.devices --yes contract "${disks[@]}"
}

guest_test() { env HOLDFAST_BIN="$tree/build/bin" "$programs/csi_lvm_guest_test" "$@"; }

plan 4
check "a group of two disks is made" make_group
check "what the port promises holds" guest_test '[lvm contract]'
check "volumes are made, cleaned and removed, many at once" guest_test '[lvm volumes]'
check "LVM's own list of the host's devices was not made" fails test -e /etc/lvm/devices/system.devices
