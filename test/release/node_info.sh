#!/bin/bash
# What a node's drivers tell kubelet of it, started as the overlays start them.
source "$(dirname "$0")/../tap.sh"

plan 1
check "a node's drivers know their node from what each overlay gives them" /usr/bin/python3 -B "$(dirname "$0")/node_info.py"
