#!/bin/bash
# Joins the result lines of a run with those of a second run of what had failed in it.
#   second_try.sh some|all FIRST SECOND     prints the lines that count; SECOND ran some tests of FIRST, or all
# A test that passes only the second time is "unsteady": it counts as passed, and is named in the summary. What
# failed twice has failed.
set -euo pipefail

awk -F '\t' -v of="$1" '
  FNR == 1 { file++ }
  file == 1 { first[$2] = $1; next }
  file == 2 { again[$2]; print ($1 == "pass" && first[$2] != "pass" ? "unsteady" : $1) "\t" $2; next }
  of == "some" && !($2 in again)' "$2" "$3" "$2"
