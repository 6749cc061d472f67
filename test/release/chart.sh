#!/bin/bash
# The Helm chart against the overlays that it is made of: as it is read here, and as Helm reads it.
source "$(dirname "$0")/../tap.sh"

cd "$(dirname "$0")/../.." || exit
tools=build/kube_tools/list
chart() { /usr/bin/python3 -B test/release/chart.py "$1"; }

plan 3
check "the chart has the objects of each overlay, with what is asked for, and refuses other overlays" chart read
check_with "$tools" "Helm finds nothing wrong with the chart, and makes the same objects of it" chart rendered
check_with "$tools" "Helm packs the chart, and makes the same objects of the archive" chart packed
