#!/bin/bash
# The demo is a test too: containers of a real runtime keep their addresses, and the demo would notice if they did not.
source "$(dirname "$0")/../tap.sh"

demo=$(cd "$(dirname "$0")/../demo" && pwd)/demo.py

moves_without_us() {
  local output status=0
  output=$(/usr/bin/python3 -B "$demo" upstream 2>&1) || status=$?
  echo "$output"
  [[ $status -eq 1 && $output == *"4 of 4 pods MOVED" ]]
}

plan 2
check "the demo notices addresses that move" moves_without_us
check "pods of containerd keep their addresses through a power cut" /usr/bin/python3 -B "$demo"
