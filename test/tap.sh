# shellcheck shell=bash
# What a test script says its results with. Sourced.

# plan N: how many checks follow. Making another number of them is a failure, so no check gets lost.
plan() { echo "1..$1"; }

# check NAME COMMAND...: one check; passes when COMMAND does. Its output is shown when it fails.
# COMMAND runs in a condition, where `set -e` is off: a function joins its steps by &&.
check() {
  local name=$1 output
  shift
  if output=$("$@" 2>&1); then
    echo "ok $name"
  else
    echo "not ok $name"
    echo "#   ${output//$'\n'/$'\n'#   }"
  fi
}

# check_with FILE NAME COMMAND...: as check; told as skipped where there is no FILE, which not every machine can have.
check_with() {
  if [[ -e $1 ]]; then
    check "${@:2}"
  else
    echo "ok $2 # SKIP there is no $1"
  fi
}

# The opposite of a command, as a command.
fails() { ! "$@"; }

# within SECONDS COMMAND...: polls until COMMAND succeeds; fails when it has not by then.
within() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.02
  done
}
