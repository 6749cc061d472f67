#!/bin/bash
# Other keys, another image, a drained node, as egw-controller and Kubernetes do it, cost no packet.
exec /usr/bin/python3 -B "$(dirname "$0")/gateway_story.py" rollout "$1"
