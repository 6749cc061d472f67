#!/bin/bash
# Pods and a VPC keep reaching each other whatever dies: the faults of the gateway's demo, once each.
exec /usr/bin/python3 -B "$(dirname "$0")/gateway_story.py" faults "$1"
