#!/bin/bash
# Runs one test script that prints TAP, and leaves its result lines.
#   tap_script.sh PREFIX RUNNER SCRIPT     writes PREFIX-NAME.log, PREFIX-NAME.part; RUNNER gets SCRIPT and PREFIX-NAME
# What a failed script printed is shown; the exit status is 0 all the same, the result lines tell.
set -euo pipefail

name=$(basename "$3" .sh)
out=$1-$name
"$2" "$3" "$out" >"$out.log" 2>&1 </dev/null || echo "# exit status $?" >>"$out.log"
"$(dirname "$0")/tap_results.sh" "$name" <"$out.log" >"$out.part"
if grep -q ^fail "$out.part"; then
  printf -- '-- %s (out/results/%s.log):\n%s\n' "$name" "$(basename "$out")" "$(tail -n 80 "$out.log")"
fi
