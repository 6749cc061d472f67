#!/bin/bash
# Makes a disk of this guest one that tells its serial number: a SCSI disk on it, by the kernel's own target.
#   scsi_bay.sh plug SERIAL /dev/ubdb|/dev/loop1      scsi_bay.sh unplug SERIAL: status 16 when it is mounted
set -euo pipefail

target=/sys/kernel/config/target
portal=$target/loopback/naa.5001405d15c00000/tpgt_1
busy=16

prepare() {
  modprobe -a configfs target_core_mod target_core_iblock tcm_loop sd_mod
  mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
  [[ ! -d $portal ]] || return 0
  mkdir -p "$portal"
  echo naa.5001405d15c00001 >"$portal/nexus"
}

# Its number among the disks of the guest: that of "/dev/ubdb" is 1, as that of "/dev/loop1".
number_of() {
  local name=${1#/dev/}
  case $name in
    loop*) echo "${name#loop}" ;;
    *) echo $(($(printf '%d' "'${name: -1}") - 97)) ;;
  esac
}

plug() {
  local serial=$1 disk=$2 number backstore
  number=$(number_of "$disk")
  backstore=$target/core/iblock_$number/$serial
  mkdir -p "$backstore"
  echo "udev_path=$disk" >"$backstore/control"
  echo 1 >"$backstore/enable"
  echo "$serial" >"$backstore/wwn/vpd_unit_serial"
  mkdir -p "$portal/lun/lun_$number"
  ln -s "$backstore" "$portal/lun/lun_$number/disk"
}

# Where the disk with that serial number is: "/dev/sda".
device_of() {
  local page
  for page in /sys/block/sd*/device/vpd_pg80; do
    if tr -d '\0' <"$page" | grep -q "$1"; then
      page=${page#/sys/block/}
      echo "/dev/${page%%/*}"
    fi
  done
}

unplug() {
  local serial=$1 device backstore number
  device=$(device_of "$serial")
  if [[ -n $device ]] && findmnt --source "$device" >/dev/null; then
    echo "$device is mounted" >&2
    exit $busy
  fi
  for backstore in "$target"/core/iblock_*/"$serial"; do
    [[ -d $backstore ]] || return 0
    number=$(basename "$(dirname "$backstore")")
    number=${number#iblock_}
    rm "$portal/lun/lun_$number/disk"
    rmdir "$portal/lun/lun_$number" "$backstore"
  done
}

prepare
"$@"
