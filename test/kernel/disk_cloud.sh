# shellcheck shell=bash
# shellcheck disable=SC2154
# A cloud of disks in a guest, which are devices of it while they are attached. Sourced by scripts of guest/; `tree` is set,
# and for SCSI disks `disk_profile`, a file to be made.

disk_cloud=http://127.0.0.1:8080
# What csi-disk is told of it; node i-1 is this machine.
# shellcheck disable=SC2034  # for those who source this
disk_flags=("--profile=${disk_profile:-sim}" --mode=all --node-id=edge-1 --instance-id=i-1 --zone=sim-1a --region=sim-1 --cloud-region=sim-1
  "--cloud-endpoint=$disk_cloud" --cloud-credentials=/tmp/account.json --by-id=/tmp/devices/by-id)

load_scsi() {
  modprobe -a configfs target_core_mod target_core_iblock tcm_loop sd_mod || return
  mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config || return
  # The disks stand on loop devices, which are none themselves then.
  echo '{"driverName": "sim.disk.csi.holdfast.dev", "loopDevices": false}' >"$disk_profile"
}

# Arguments: more flags of disk-sim, of which the last of a name counts. Without --as=scsi the disks are loop devices.
start_disk_cloud() {
  [[ " $* " != *" --as=scsi "* ]] || load_scsi || return
  modprobe -a loop ext4 xfs && ip link set lo up && mkdir -p /tmp/devices/by-id /var/lib/kubelet/{pods,plugins_registry} || return
  echo '{"AccessKeyId": "sim-id", "AccessKeySecret": "sim-secret"}' >/tmp/account.json
  "$tree/build/bin/disk-sim" --port=8080 --state=/tmp/disks.state --devices=/tmp/devices --nodes=i-1@sim-1a "$@" \
    >/out/disk-sim 2>&1 &
  within 20 grep -q http /out/disk-sim
}
