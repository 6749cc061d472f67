#!/bin/bash
# csi-lvm as in a pod of a node with udevd: /run/udev is the host's, and the IPC namespace is the pod's own. The semaphores by which
# LVM would wait for udevd are in it, where udevd's rules do not see them.
source "$(dirname "$0")/../../tap.sh"
source "$(dirname "$0")/../volume_group.sh"

tree=$(cd "$(dirname "$0")/../../.." && pwd)
guest_packages=$tree/build/guest_packages/root
lvm_words=(--devicesfile holdfast.devices --config devices/use_devicesfile=1)

start_udevd() {
  cp -a "$guest_packages"/lib/. "$guest_packages"/usr/lib/. /usr/lib/ && cp "$guest_packages/bin/udevadm" /usr/bin/ &&
    test -f /usr/lib/udev/rules.d/95-dm-notify.rules && mkdir -p /run/udev &&
    /usr/lib/systemd/systemd-udevd --daemon && udevadm trigger --subsystem-match=block && udevadm settle --timeout=30
}

# LVM as the host's administrator calls it: by the host's settings, in udevd's IPC namespace.
host_waits_for_udevd() { timeout 30 lvcreate "${lvm_words[@]}" --yes --size 16M --name host suite && [[ -L /dev/mapper/suite-host ]]; }

story() {
  timeout --kill-after=5 120 unshare --ipc env HOLDFAST_BIN="$tree/build/bin" "$tree/build/guest/bin/csi_lvm_program_test" "$@"
}

plan 5
check "a group of two disks is made" make_group suite 512M
mkdir -p /var/lib/kubelet/{pods,plugins_registry}
check "udevd runs, and tells LVM that it is done" start_udevd
check "who shares its IPC namespace hears it" host_waits_for_udevd
check "in a container, volumes live their life without waiting for it" story 'a volume of each kind*'
check "and one that the host made keeps its links when it grows" story '[host]'
