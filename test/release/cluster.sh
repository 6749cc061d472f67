#!/bin/bash
# The whole product in one scene, with its cloud cut off: the demo, for as long as what happens meanwhile takes.
source "$(dirname "$0")/../tap.sh"

demo=$(cd "$(dirname "$0")/../demo" && pwd)

plan 1
check "a cluster keeps all that it has while its cloud is cut off" /usr/bin/python3 -B "$demo/cluster.py" --cut 1 --no-times
