#!/bin/bash
# What kubectl and helm themselves make of the manifests, and of the commands that the docs show; no cluster.
source "$(dirname "$0")/../tap.sh"

cd "$(dirname "$0")/../.." || exit
tools=build/kube_tools/list
checks=test/release/kubectl.py

plan 3
check_with "$tools" "kubectl renders every folder of the manifests as our own renderer does" /usr/bin/python3 -B "$checks" folders
check_with "$tools" "kubectl renders the folders of the docs, and refuses what ours refuses" /usr/bin/python3 -B "$checks" examples
check_with "$tools" "every command of kubectl and helm in the docs is one, with flags that it has" /usr/bin/python3 -B "$checks" commands
