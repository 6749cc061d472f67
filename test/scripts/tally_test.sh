#!/bin/bash
# The scripts that count results: what must never look like success does not.
set -euo pipefail

scripts=$(cd "$(dirname "$0")/../../scripts" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failures=0

# expect WHAT WANTED GOT
expect() {
  [[ $2 == "$3" ]] || { printf '%s:\n  wanted: %s\n  got:    %s\n' "$1" "$2" "$3"; failures=$((failures + 1)); }
}

# tally MINIMUM RESULTS: exit status and last line for one tier "unit" with these results.
tally() {
  echo "unit $1" >"$dir/minimum"
  printf '%b' "$2" >"$dir/unit.tsv"
  local status=0 out
  out=$(HOLDFAST_MINIMUM=$dir/minimum "$scripts/tally.sh" "$dir" unit) || status=$?
  echo "$status: $(tail -n 1 <<<"$out")"
}

# results TAP: the result lines of a script "s".
results() { printf '%b' "$1" | "$scripts/tap_results.sh" s | tr '\t\n' '  '; }

expect "all passed" "0: 2 passed, 0 failed" "$(tally 2 'pass\ta\npass\tb\n')"
expect "one failed" "1: 1 passed, 1 failed" "$(tally 1 'pass\ta\nfail\tb\n')"
expect "skips are counted apart" "0: 1 passed, 0 failed, 1 skipped" "$(tally 1 'pass\ta\nskip\tb\n')"
expect "nothing executed" "1: 0 passed, 1 failed" "$(tally 1 '')"
expect "nothing executed, nothing asked" "1: 0 passed, 0 failed" "$(tally 0 '')"
expect "only skips" "1: 0 passed, 1 failed, 1 skipped" "$(tally 1 'skip\ta\n')"
expect "below the minimum" "1: 1 passed, 1 failed" "$(tally 2 'pass\ta\n')"

expect "an unsteady test counts as passed" "0: 2 passed, 0 failed" "$(tally 2 'pass\ta\nunsteady\tb\n')"
expect "an unsteady test is named" "   unsteady unit: b" "$("$scripts/tally.sh" "$dir" unit | grep unsteady)"

# second KIND FIRST SECOND: the lines that count.
second() {
  printf '%b' "$2" >"$dir/first"
  printf '%b' "$3" >"$dir/second"
  "$scripts/second_try.sh" "$1" "$dir/first" "$dir/second" | sort | tr '\t\n' '  '
}
expect "passed the second time" "pass a unsteady b " "$(second some 'pass\ta\nfail\tb\n' 'pass\tb\n')"
expect "failed twice" "fail b pass a " "$(second some 'pass\ta\nfail\tb\n' 'fail\tb\n')"
expect "not executed again" "fail b fail c " "$(second some 'fail\tb\nfail\tc\n' 'fail\tc\n')"
expect "nothing executed again" "fail b " "$(second some 'fail\tb\n' '')"
expect "a script that had broken off" "pass a unsteady b " \
  "$(second all 'pass\ta\nfail\texecuted 1 of 2\n' 'pass\ta\npass\tb\n')"
expect "a script that fails elsewhere" "fail a unsteady b " "$(second all 'pass\ta\nfail\tb\n' 'fail\ta\npass\tb\n')"

expect "a plan that is kept" "pass s: a pass s: b " "$(results '1..2\nok a\nnoise\nok b\n')"
expect "a failed check" "fail s: a " "$(results '1..1\nnot ok a\n')"
expect "a skipped check" "skip s: a # SKIP why " "$(results '1..1\nok a # SKIP why\n')"
expect "a guest that falls silent" "pass s: a fail s: executed 1 of 2 checks " "$(results '1..2\nok a\n')"
expect "no plan" "fail s: announces its number of checks once (it did 0 times) " "$(results '')"
expect "a bad exit status" "pass s: a fail s: exit status 125 " "$(results '1..1\nok a\n# exit status 125\n')"

cat >"$dir/junit.xml" <<'END'
<testsuite><testcase name="a" status="run"/><testcase name="b" status="fail"><failure message="x"/></testcase>
<testcase name="c" status="notrun"><skipped message="SKIP_RETURN_CODE=4"/></testcase>
<testcase name="d" status="notrun"><skipped message="Unable to find executable"/></testcase></testsuite>
END
expect "ctest's outcomes" "pass a fail b skip c fail d " "$(/usr/bin/python3 "$scripts/junit_results.py" "$dir/junit.xml" | tr '\t\n' '  ')"

exit "$((failures > 0))"
