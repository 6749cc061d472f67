#!/bin/bash
# A tier of scripts: in which order they begin; and of which some fail, which are tried again, and what counts then.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failures=0

cp -r "$root/scripts" "$tree"
# shellcheck source=scripts/common.sh
source "$tree/scripts/common.sh"
# shellcheck source=scripts/tests.sh
source "$tree/scripts/tests.sh"
as_root() { "$@"; }
give_back() { :; }

# script NAME LINES: a test that runs the lines; the file NAME.ran is there from its second run on.
script() {
  printf 'echo 1..2\n%s\ntouch "$0.ran"\n' "$2" >"$tree/$1.sh"
}
# expect WHAT RESULTS NAME...: the result lines of a tier of these scripts.
expect() {
  local what=$1 wanted=$2 name got
  shift 2
  local -a scripts=()
  for name in "$@"; do scripts+=("$tree/$name.sh"); done
  rm -rf "$RESULTS" "$tree"/*.ran
  mkdir -p "$RESULTS"
  tap_tier some 2 bash "${scripts[@]}" >"$tree/said"
  got=$(tr '\t\n' '  ' <"$RESULTS/some.tsv")
  [[ $got == "$wanted" ]] || {
    printf '%s:\n  wanted: %s\n  got:    %s\n' "$what" "$wanted" "$got"
    failures=$((failures + 1))
  }
}

script good 'echo ok a; echo ok b'
script late 'echo ok a; [[ -e $0.ran ]] && echo ok b || echo not ok b'
script silent 'echo ok a; [[ -e $0.ran ]] || { touch "$0.ran"; exit 3; }; echo ok b'
script bad 'echo ok a; echo not ok b'
for name in one two three four; do cp "$tree/bad.sh" "$tree/$name.sh"; done

expect "nothing failed" "pass good: a pass good: b " good
expect "late once" "pass good: a pass good: b pass late: a unsteady late: b " good late
expect "broke off once" "pass silent: a unsteady silent: b " silent
expect "always bad" "pass bad: a fail bad: b " bad
[[ $(cat "$tree/said") == *"1 failed: once more, alone"* ]] || { echo "a second try is not told"; failures=1; }
expect "too much of it" "pass four: a fail four: b pass one: a fail one: b pass three: a fail three: b pass two: a fail two: b " \
  one two three four
[[ $(cat "$tree/said") != *"once more"* ]] || { echo "four were tried again"; failures=1; }

order=$(with_first "c a gone" x/a.sh x/b.sh y/c.sh y/d.sh | paste -sd' ')
[[ $order == "y/c.sh x/a.sh x/b.sh y/d.sh" ]] || { echo "begun in the order: $order"; failures=1; }

exit "$((failures > 0))"
