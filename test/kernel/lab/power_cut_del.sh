#!/bin/bash
# DEL of our plugin on a node whose power goes at ten of the changes to files that it makes.
source "$(dirname "$0")/../../tap.sh"
source "$(dirname "$0")/../power_cut.sh"

cut_in DEL 10
