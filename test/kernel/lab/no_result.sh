#!/bin/bash
# The tier's own promises: a guest that says nothing is a failure, and a run that is killed leaves nothing behind.
source "$(dirname "$0")/../../tap.sh"

here=$(cd "$(dirname "$0")/.." && pwd)

status_of() {
  local status=0
  "$here/guest.sh" run "$LAB_OUT/guest" "$here/fixtures/$1" || status=$?
  [[ $status -eq $2 ]] || { echo "exit status $status, not $2"; return 1; }
}

# Processes of the guest whose OUT is $1; the brackets keep grep from finding itself.
guests_of() { grep -ls -- "[G]UEST_OUT=$1" /proc/[0-9]*/cmdline; }

# Kills the wrapper of a guest that runs, as an impatient user would.
leaves_nothing_when_killed() {
  "$here/guest.sh" run "$LAB_OUT/killed" "$here/fixtures/hang.sh" >/dev/null 2>&1 &
  local wrapper=$!
  within 10 test -e "$LAB_OUT/killed/ready" && [[ -n $(guests_of "$LAB_OUT/killed") ]] || return 1
  kill -KILL "$wrapper"
  within 5 fails guests_of "$LAB_OUT/killed"
}

plan 4
check "a script's exit status is the guest's" status_of exit_3.sh 3
check "a guest that goes off without a result is a failure" status_of power_off.sh 125
check "a lab word outside a lab touches nothing" fails unshare --net "$here/lab.sh" up
check "a killed run leaves no guest behind" leaves_nothing_when_killed
