#!/bin/bash
# What the overlays render to: what `kubectl apply -k` would put into a cluster.
source "$(dirname "$0")/../tap.sh"

checks=$(dirname "$0")/overlays.py

plan 12
check "every overlay renders, and what the base has is in one of them" /usr/bin/python3 -B "$checks" render
check "every object has fields only that its kind has" /usr/bin/python3 -B "$checks" fields
check "every pod says where it runs, how much it needs, and how its health is seen" /usr/bin/python3 -B "$checks" placement
check "no two pods of a node want one port, and each is asked where it listens, also when its node has another address" /usr/bin/python3 -B "$checks" ports
check "no two pods of a node keep their state in one folder" /usr/bin/python3 -B "$checks" folders
check "what one object names of another is there" /usr/bin/python3 -B "$checks" promises
check "ours and upstream's DaemonSets of flannel take each other's pods" /usr/bin/python3 -B "$checks" adoption
check "removal leaves what upstream's flannel has under the same names, and nothing else" /usr/bin/python3 -B "$checks" removal
check "a folder can be applied file by file: a namespace comes first" /usr/bin/python3 -B "$checks" order
check "every definition is structural and bounded, and its columns are members of it" /usr/bin/python3 -B "$checks" definitions
check "a folder of the docs renders beside ours" /usr/bin/python3 -B "$checks" examples
check "each way of the docs from nothing to a pod waits for what its overlay has, and shows what is seen" /usr/bin/python3 -B "$checks" ways
