#!/bin/bash
# csi-lvm as it is shipped, by its socket, as kubelet and the provisioner call it; and the public test suite of CSI
# drivers, if $CSI_SANITY or /usr/local/bin has it.
source "$(dirname "$0")/../../tap.sh"
source "$(dirname "$0")/../volume_group.sh"

tree=$(cd "$(dirname "$0")/../../.." && pwd)
sanity=${CSI_SANITY:-/usr/local/bin/csi-sanity}
kubelet=/var/lib/kubelet

story() { env HOLDFAST_BIN="$tree/build/bin" "$tree/build/guest/bin/csi_lvm_program_test" "$@"; }

# Its figures are for people to read, also when they are good.
cost() { story '[cost]' >/out/figures || { cat /out/figures && return 1; }; }

# A number of /proc/PID/status.
status_number() { sed -n "s/^$2:[^0-9]*\([0-9]*\).*/\1/p" "/proc/$1/status"; }

# Three drivers in one process, once they are idle: at most 16 MiB and 16 threads.
three_drivers_are_small() {
  local node name resident threads
  cat >/tmp/three.json <<'END'
{"profiles": [{"driverName": "a.example.com", "kind": "local"}, {"driverName": "b.example.com", "kind": "local"},
              {"driverName": "c.example.com", "kind": "local"}]}
END
  "$tree/build/bin/csi-node" --node-id=edge-1 --config=/tmp/three.json --metrics-address=127.0.0.1:11260 \
    2>/out/three.log &
  node=$!
  for name in a b c; do
    within 20 test -S "$kubelet/plugins_registry/$name.example.com-reg.sock" || return
  done
  sleep 1
  resident=$(status_number "$node" VmRSS) threads=$(status_number "$node" Threads)
  echo "# csi-node with three drivers: $resident KiB, $threads threads" >>/out/figures
  kill "$node"
  if ! wait "$node" || ((resident > 16 * 1024 || threads > 16)); then
    cat /out/figures /out/three.log
    return 1
  fi
}

# public_suite mount|block
public_suite() {
  local access=$1 status=0 driver
  printf 'vgName: suite\nvolumeType: LVM\n' >/tmp/parameters
  "$tree/build/bin/csi-lvm" --node-id=edge-1 --endpoint=unix:///run/sanity/csi.sock 2>/tmp/driver.log &
  driver=$!
  within 20 test -S /run/sanity/csi.sock &&
    "$sanity" --csi.endpoint=/run/sanity/csi.sock --csi.testvolumeparameters=/tmp/parameters \
      --csi.testvolumeaccesstype="$access" --csi.mountdir=$kubelet/sanity-target --csi.stagingdir=$kubelet/sanity-staging \
      --csi.testvolumesize=$((64 << 20)) --csi.testvolumeexpandsize=$((128 << 20)) || status=$?
  kill "$driver"
  wait "$driver"
  ((status == 0)) || tail -n 20 /tmp/driver.log
  return "$status"
}

plan 7
check "a group of two disks is made" make_group suite 512M
mkdir -p $kubelet/{pods,plugins_registry}
check "volumes live their life through the socket" story '[life]'
check "killed at any time, the program goes on where it was" story '[killed]'
check "staging costs hardly more than mount(8)" cost
check "three drivers in one process are small" three_drivers_are_small
grep '^# ' /out/figures
check_with "$sanity" "the public suite passes on file systems" public_suite mount
check_with "$sanity" "the public suite passes on raw volumes" public_suite block
