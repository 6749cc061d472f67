#!/bin/bash
# The node-resource-manager on real disks: groups from a file, refusals, names exchanged while nobody looks.
source "$(dirname "$0")/../../tap.sh"

bin=$(cd "$(dirname "$0")/../../.." && pwd)/build/bin
program=$bin/node-resource-manager
worker=(--lvmcmd "$bin/lvmcmd")
config=/tmp/topology.yaml
state=/tmp/state
lvm_words=(--config devices/use_devicesfile=1 --devicesfile holdfast.devices)

pass() {
  "$program" --once --node-id n1 --config-file "$config" --state-dir "$state" --log-level warning "$@" >/tmp/table 2>/tmp/log ||
    { cat /tmp/table /tmp/log; return 1; }
}

# row DEVICE ACTION [REASON]: the last pass's table says so.
row() { grep -E "^[^ ]+ +$1 .* $2( |\$).*${3-}" /tmp/table || { cat /tmp/table /tmp/log; return 1; }; }

# plug N DISK: the disk becomes /dev/loopN.
plug() { losetup "/dev/loop$1" "/tmp/$2"; }

make_disks() {
  modprobe -a dm-mod loop && mkdir -p /run/lvm /run/lock/lvm || return
  truncate -s 64M /tmp/a /tmp/b /tmp/c /tmp/full /tmp/table_disk && plug 1 a && plug 2 b && plug 3 c && plug 4 full || return
  mkfs.ext4 -q -F /dev/loop4 &&
    printf 'label: gpt\nstart=2048, size=40960\nstart=43008\n' | sfdisk -q /tmp/table_disk &&
    losetup -P /dev/loop5 /tmp/table_disk && [[ -b /dev/loop5p2 ]]
}

group() { printf '    - {name: %s, key: kubernetes.io/hostname, operator: In, value: n1, topology: {type: device, devices: [%s]}}\n' "$@"; }

configure() {
  printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: node-resource-topo}\ndata:\n  volumegroup: |\n    volumegroup:\n'
  cat
}

disks_of() { pvs --noheadings -o pv_name,vg_name,pv_uuid "${lvm_words[@]}" | awk -v group="$1" '$2 == group {print $1, $3}' | sort; }
count_disks() { [[ $(disks_of "$1" | wc -l) == "$2" ]]; }
checksum() { sha256sum <"$1"; }

make_first() {
  { group vg1 /dev/loop1 /dev/loop9 && group vg2 "/dev/loop2, /dev/loop3"; } | configure >"$config"
  pass --dry-run && row /dev/loop1 create && ! vgs vg1 "${lvm_words[@]}" && pass && count_disks vg1 1 && count_disks vg2 2
}

changes_nothing() {
  local before after
  before=$(vgs --noheadings -o vg_name,vg_seqno "${lvm_words[@]}") && pass && row /dev/loop1 kept && row /dev/loop3 kept || return
  after=$(vgs --noheadings -o vg_name,vg_seqno "${lvm_words[@]}") && [[ $before == "$after" ]]
}

refuses() {
  local before
  before=$(checksum /tmp/full)
  { group vg1 "/dev/loop1, /dev/loop4, /dev/loop5"; } | configure >"$config"
  pass && row /dev/loop4 refused 'holds ext4' && row /dev/loop5 refused 'has partitions' &&
    [[ $(checksum /tmp/full) == "$before" ]] && count_disks vg1 1
}

takes_partition() {
  local before
  before=$(head -c 1M /tmp/table_disk | sha256sum)
  { group vg1 "/dev/loop1, /dev/loop5p2"; } | configure >"$config"
  pass && row /dev/loop5p2 kept && count_disks vg1 2 && [[ $(head -c 1M /tmp/table_disk | sha256sum) == "$before" ]]
}

in_use_is_refused() {
  mount /dev/loop4 /mnt && { group vg9 /dev/loop4; } | configure >"$config"
  pass && row /dev/loop4 refused 'mounted at /mnt' && umount /mnt
}

# clear_as_told DEVICE: by the very commands that the table names.
clear_as_told() {
  local told
  told=$(grep -E "^[^ ]+ +$1 " /tmp/table)
  if [[ $told == *" pvremove $1; "* ]]; then pvremove -q "$1" --config devices/use_devicesfile=0 || return; fi
  [[ $told == *" holdfast volume allow-format $1 --lose-content"* ]] && "$bin/holdfast" volume allow-format "$1" --lose-content >/dev/null
}

# What the reasons say to do is enough, whatever was on the disk.
cures_help() {
  local disk
  modprobe dm-crypt
  for disk in 20 21 22 23; do
    truncate -s 64M "/tmp/cured$disk" && plug "$disk" "cured$disk" || return
  done
  mkfs.ext4 -q -F /dev/loop20 && printf 'label: gpt\nstart=2048\n' | sfdisk -q /dev/loop21 && pvcreate -q /dev/loop22 --config devices/use_devicesfile=0 &&
    printf secret | cryptsetup luksFormat --batch-mode --pbkdf=pbkdf2 --pbkdf-force-iterations=1000 /dev/loop23 - || return
  { group cured "/dev/loop20, /dev/loop21, /dev/loop22, /dev/loop23"; } | configure >"$config"
  pass || return
  for disk in 20 21 22 23; do
    row "/dev/loop$disk" refused && clear_as_told "/dev/loop$disk" || return
  done
  pass && count_disks cured 4
}

# A logical volume that nobody has opened is blank, and somebody's all the same.
refuses_volume() {
  lvcreate --yes -q -n blank -l 4 --config 'devices/use_devicesfile=1 activation/udev_sync=0 activation/udev_rules=0' \
    --devicesfile holdfast.devices vg1 &&
    { group vg9 /dev/vg1/blank; } | configure >"$config"
  pass && row /dev/dm-0 refused 'is a logical volume' && lvremove --yes -q "${lvm_words[@]}" vg1/blank
}

# As a reboot that finds the disks in another order: vg1's disk is called as one of vg2's was, and a blank one took its name.
exchange_names() {
  { group vg1 /dev/loop1 && group vg2 "/dev/loop2, /dev/loop3"; } | configure >"$config"
  pass && disks_of vg1 | grep -v loop5 | cut -d' ' -f2 >/tmp/vg1 && disks_of vg2 | cut -d' ' -f2 | sort >/tmp/vg2 || return
  vgchange -an "${lvm_words[@]}" && losetup -d /dev/loop1 /dev/loop2 /dev/loop3 && truncate -s 64M /tmp/new || return
  plug 1 new && plug 2 a && plug 3 b && plug 6 c
}

keeps_groups() {
  pass && row /dev/loop2 kept && row /dev/loop6 kept || return
  [[ $(disks_of vg1 | grep -v loop5 | cut -d' ' -f2) == "$(</tmp/vg1)" ]] &&
    [[ $(disks_of vg2 | cut -d' ' -f2 | sort) == "$(</tmp/vg2)" ]] && cmp -n 67108864 /tmp/new /dev/zero
}

# A group made by hand, which our list of disks does not have, and a blank disk for it.
takes_in_group() {
  truncate -s 64M /tmp/host /tmp/more && plug 7 host && plug 10 more &&
    vgcreate --config devices/use_devicesfile=0 -q byhand /dev/loop7 || return
  { group byhand "/dev/loop7, /dev/loop10"; } | configure >"$config"
  ! vgs byhand "${lvm_words[@]}" && pass && row /dev/loop7 kept && row /dev/loop10 kept && count_disks byhand 2
}

# The worker's next process, and other programs of LVM's, must see what this one has made.
makes_group_by_worker() {
  truncate -s 64M /tmp/worker1 /tmp/worker2 && plug 13 worker1 && plug 14 worker2 || return
  { group worker /dev/loop13; } | configure >"$config"
  pass "${worker[@]}" && row /dev/loop13 kept && count_disks worker 1 || return
  { group worker "/dev/loop13, /dev/loop14"; } | configure >"$config"
  pass "${worker[@]}" && row /dev/loop14 kept && count_disks worker 2
}

# On a node on which no group was ever made there is no list of devices.
makes_first_group_by_worker() {
  mv /etc/lvm/devices/holdfast.devices /tmp/ && truncate -s 64M /tmp/first && plug 15 first || return
  { group first /dev/loop15; } | configure >"$config"
  pass "${worker[@]}" && row /dev/loop15 kept && grep -q /tmp/first /etc/lvm/devices/holdfast.devices && mv /tmp/holdfast.devices /etc/lvm/devices/
}

quota_path() {
  printf '  quotapath: |\n    quotapath:\n    - {name: /mnt/path1, key: kubernetes.io/hostname, operator: In, value: n1, '
  printf 'topology: {type: device, options: prjquota, fstype: ext4, devices: [/dev/loop11, /dev/loop12]}}\n'
}

mounts_quota_path() {
  local uuid
  modprobe quota_v2 && truncate -s 64M /tmp/quota && plug 12 quota || return
  { configure </dev/null && quota_path; } >"$config"
  mkdir -p /mnt/path1 && touch /mnt/path1/file && pass && row /dev/loop12 refused 'has files' && cmp -n 67108864 /tmp/quota /dev/zero &&
    rm /mnt/path1/file || return
  pass --dry-run && row /dev/loop12 mount && ! mountpoint -q /mnt/path1 && pass && row /dev/loop12 mount || return
  grep -q '^/dev/loop12 /mnt/path1 ext4 .*prjquota' /proc/mounts && uuid=$(blkid -o value -s UUID /dev/loop12) || return
  pass && row /dev/loop12 kept && umount /mnt/path1 && pass && row /dev/loop12 mount &&
    [[ $(blkid -o value -s UUID /dev/loop12) == "$uuid" ]]
}

plan 16
check "disks are made" make_disks
check "groups are made of the disks that are there, after a dry run that makes none" make_first
check "a second pass changes nothing" changes_nothing
check "a disk with a file system and one with partitions are refused, and stay as they are" refuses
check "a partition that is named is taken, and the table stays" takes_partition
check "a mounted disk is refused" in_use_is_refused
check "a logical volume is refused" refuses_volume
check "a disk that was cleared as the table says is taken" cures_help
check "names are exchanged" exchange_names
check "the groups keep their disks, and the disk that took a name is not touched" keeps_groups
check "a group that the host's LVM has is taken in and extended" takes_in_group
check "a group made through lvmcmd gets onto our list of devices" makes_group_by_worker
check "so does the first one of a node" makes_first_group_by_worker
check "a quotapath's disk is formatted once, and mounted with project quotas" mounts_quota_path
check "the plan can be read" grep -q '"action": "mount"' "$state/plan.json"
check "LVM's own list of the host's devices was not made" fails test -e /etc/lvm/devices/system.devices
