#!/bin/bash
# The Helm chart against the overlays that it is made of.
source "$(dirname "$0")/../tap.sh"

plan 1
check "the chart has the objects of each overlay, with what is asked for, and refuses other overlays" /usr/bin/python3 -B "$(dirname "$0")/chart.py"
