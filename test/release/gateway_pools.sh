#!/bin/bash
# Two pools at one cloud end: what befalls one, or is claimed by it, costs the other nothing.
exec /usr/bin/python3 -B "$(dirname "$0")/gateway_story.py" pools "$1"
