#!/bin/bash
# The demos are tests too: containers of a real runtime keep their addresses, an overlay and volumes live through what
# happens at the edge, and the first would notice if addresses moved.
source "$(dirname "$0")/../tap.sh"

demo=$(cd "$(dirname "$0")/../demo" && pwd)

moves_without_us() {
  local output status=0
  output=$(/usr/bin/python3 -B "$demo/pods.py" upstream 2>&1) || status=$?
  echo "$output"
  [[ $status -eq 1 && $output == *"4 of 4 pods MOVED" ]]
}

plan 4
check "the demo notices addresses that move" moves_without_us
check "pods of containerd keep their addresses through a power cut" /usr/bin/python3 -B "$demo/pods.py"
check "three nodes keep their overlay through kills, a reboot and a new address" /usr/bin/python3 -B "$demo/overlay.py"
check "volumes keep their bytes through a mistake, a power cut, exchanged disks, a dead server and a move" /usr/bin/python3 -B "$demo/storage.py"
