#!/bin/bash
# Other keys, other pods, a node that is emptied: what is planned at gateways costs no packet.
exec /usr/bin/python3 -B "$(dirname "$0")/gateway_story.py" changes "$1"
