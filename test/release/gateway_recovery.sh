#!/bin/bash
# Who reaches whom through gateways, and how pods come back to a VPC from what lasts longer than a fault.
exec /usr/bin/python3 -B "$(dirname "$0")/gateway_story.py" recovery "$1"
