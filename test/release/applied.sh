#!/bin/bash
# kubectl and helm themselves put the manifests into a cluster and take them out, as the docs say: an API server for tests, on this
# script's own loopback.
source "$(dirname "$0")/../tap.sh"

if [[ ${HOLDFAST_APPLIED_INSIDE-} != yes ]]; then
  HOLDFAST_APPLIED_INSIDE=yes exec unshare --net --pid --fork --kill-child=KILL --mount-proc bash "$0" "$@"
fi
ip link set lo up
cd "$(dirname "$0")/../.." || exit
tools=build/kube_tools/list
applied() { /usr/bin/python3 -B test/release/applied.py "$1"; }

plan 10
check_with "$tools" "each overlay is applied by kubectl and by the server, changes nothing the second time, and is removed whole" applied applied
check_with "$tools" "upstream's flannel is taken over and put back by the commands of the docs, and all else is removed" applied taken_over
check_with "$tools" "a DaemonSet that was not deleted first is refused or merged, as the docs say" applied orphans
check_with "$tools" "programs are removed without what the cluster remembers, and applied again" applied kept
check_with "$tools" "records with finalizers hold up removal until they are let go as the docs say" applied records
check_with "$tools" "Helm installs, upgrades, removes and installs again each overlay" applied released
check_with "$tools" "Helm takes upstream's flannel over, and sets back what was changed by hand" applied released_over
check_with "$tools" "a class of volumes is not changed, but made anew" applied class
check_with "$tools" "a rollout waits, and goes on when the docs' command lets it" applied rollout
check_with "$tools" "our kinds are shown by their columns" applied columns
