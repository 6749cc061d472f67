#!/bin/bash
# The manifests against the programs that they start.
source "$(dirname "$0")/../tap.sh"

checks=$(dirname "$0")/manifests.py

plan 9
check "every container starts a program of ours with flags that it has, or one of upstream's images" /usr/bin/python3 -B "$checks" containers
check "our image has one name, with the version that is built" /usr/bin/python3 -B "$checks" names
check "every volume that is mounted is there, and the other way round" /usr/bin/python3 -B "$checks" volumes
check "every account that a pod has is made, and every role is bound, and has no wildcard" /usr/bin/python3 -B "$checks" accounts
check "what a node may write is held to its own objects by a policy" /usr/bin/python3 -B "$checks" bounds
check "upstream's flanneld may do what it asks for until it is replaced" /usr/bin/python3 -B "$checks" upstream
check "every sidecar may ask the API server for what it needs" /usr/bin/python3 -B "$checks" sidecars
check "every sidecar keeps its own Lease, and may write no other" /usr/bin/python3 -B "$checks" leases
check "what the page says of the units of a cluster's node is flags of theirs" /usr/bin/python3 -B "$checks" units
