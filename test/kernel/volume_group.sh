# shellcheck shell=bash
# Volume groups in a guest. Sourced by scripts of guest/.

# LVM looks at every node of /dev in each command: 600 of them are terminals here, and cost half of its time.
prepare_lvm() {
  rm -f /dev/pty* /dev/tty?*
  modprobe -a dm-mod dm-thin-pool dm-snapshot dm-crypt xts algif_skcipher loop && mkdir -p /run/lvm /run/lock/lvm
}

# group_on NAME EXTENT DEVICE...: a group of these disks in extents of that size, which are the driver's.
group_on() {
  vgcreate --config 'activation/udev_sync=0 devices/obtain_device_list_from_udev=0 devices/use_devicesfile=1' \
    --devicesfile holdfast.devices --yes --physicalextentsize "$2" "$1" "${@:3}"
}

# make_group NAME SIZE: on two disks in memory of SIZE each, of which LVM keeps 1 MiB and gives the rest in extents of 4 MiB.
make_group() {
  local name=$1 size=$2 disk
  local -a disks=()
  prepare_lvm || return
  for disk in 0 1; do
    truncate -s "$size" "/tmp/disk$disk" && disks+=("$(losetup --find --show "/tmp/disk$disk")") || return
  done
  group_on "$name" 4M "${disks[@]}"
}
