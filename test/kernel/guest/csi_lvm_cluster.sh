#!/bin/bash
# csi-lvm as it is shipped, as controller and node of a cluster of one node, on real LVM.
source "$(dirname "$0")/../../tap.sh"
source "$(dirname "$0")/../volume_group.sh"

tree=$(cd "$(dirname "$0")/../../.." && pwd)

story() {
  env HOLDFAST_BIN="$tree/build/bin" "$tree/build/guest/bin/csi_lvm_program_test" "$@" --durations yes ||
    { tail -n 40 /tmp/story.log && return 1; }
}

plan 3
check "a group of two disks is made" make_group suite 512M
mkdir -p /var/lib/kubelet/{pods,plugins_registry}
check "a volume lives its life by objects, and needs no API server on its node" story '[cluster]'
check "a node that dies at any step leaves no volume without object, and no object without volume" story '[dies]'
