#!/bin/bash
# Turns the TAP of one script (standard input) into result lines, pass|fail|skip TAB SCRIPT: NAME.
#   tap_results.sh SCRIPT
# A script says first how many checks it will make ("1..N"). Making fewer or more, saying no plan, or leaving a
# guest without a result is one failure more: silence is never success.
set -euo pipefail

awk -v script="$1" '
  function result(kind, name) { printf "%s\t%s: %s\n", kind, script, name }
  { sub(/\r$/, "") }
  /^1\.\.[0-9]+$/     { planned = substr($0, 4) + 0; has_plan++; next }
  /^ok .* # SKIP/     { executed++; sub(/^ok /, ""); result("skip", $0); next }
  /^ok /              { executed++; result("pass", substr($0, 4)); next }
  /^not ok /          { executed++; result("fail", substr($0, 8)); next }
  /^# exit status /   { status = $NF }
  END {
    if (has_plan != 1) result("fail", "announces its number of checks once (it did " has_plan + 0 " times)")
    else if (executed + 0 != planned) result("fail", "executed " executed + 0 " of " planned " checks")
    if (status + 0 != 0) result("fail", "exit status " status)
  }'
