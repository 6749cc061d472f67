#!/bin/bash
# Several guests as the nodes of a small network, with power loss.
#
#   lab.sh enter OUT SCRIPT          runs SCRIPT in a network, mount and pid namespace of its own, where the words
#                                    below work. When it ends, or is killed, all that is in there ends with it
#   lab.sh up                        makes the network: a bridge
#   lab.sh start N [DISK]            boots node N (vec0, MAC 02:aa:00:00:00:N); DISK, a file, is its /dev/ubda
#   lab.sh exec N 'COMMAND'          runs it in node N; its output, its exit status. 125: the node is down
#   lab.sh kill N                    takes the power from node N: what it did not write to its disk is gone
#   lab.sh stop N                    shuts node N down
#   lab.sh down                      takes the power from all nodes
#
# A disk is a file of the host that the guest's block device writes to, so it outlives the guest. Environment:
# LAB_OUT (set by enter), LAB_EXEC_SECONDS, how long exec waits (60).
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
source "$here/../tap.sh"

die() {
  echo "lab.sh: $*" >&2
  exit 125
}

enter() {
  local out script
  mkdir -p "$1"
  out=$(readlink -f "$1")
  script=$(readlink -f "$2")
  LAB_OUT=$out exec unshare --net --mount --pid --fork --kill-child=KILL --mount-proc \
    bash "$here/lab.sh" inside "$script"
}

# The first process of the pid namespace: with its end the kernel kills the guests.
inside() {
  readlink /proc/self/ns/net >"$LAB_OUT/namespace"
  local status=0
  bash "$1" || status=$?
  "$here/lab.sh" down
  exit "$status"
}

# Links are made in the lab's own network namespace and nowhere else.
require_lab() {
  [[ -n ${LAB_OUT-} && "$(readlink /proc/self/ns/net)" == "$(cat "$LAB_OUT/namespace" 2>/dev/null)" ]] ||
    die "not inside a lab: use lab.sh enter OUT SCRIPT"
}

up() {
  ip link add lab0 type bridge
  ip link set lab0 up
}

node_folder() { echo "$LAB_OUT/node$1"; }

# The process that runs node N, or nothing.
node_process() { cat "$(node_folder "$1").pid" 2>/dev/null || true; }

is_running() {
  local pid
  pid=$(node_process "$1")
  [[ -n $pid && -d /proc/$pid ]]
}

start() {
  local n=$1 folder mac
  ! is_running "$n" || die "node $n is running"
  folder=$(node_folder "$n")
  mac=$(printf '02:aa:00:00:00:%02x' "$n")
  ip tuntap add dev "tap$n" mode tap
  ip link set "tap$n" master lab0 up
  # Not the file of an earlier boot: whoever waits for it waits for this one's.
  rm -rf "$folder"
  GUEST_SECONDS=1800 setsid bash "$here/guest.sh" boot "$folder" "node$n" \
    "vec0:transport=tap,ifname=tap$n,depth=128,gro=1,mac=$mac" ${2:+"ubda=$(readlink -f "$2")"} \
    </dev/null >/dev/null 2>&1 &
  echo $! >"$folder.pid"
  within 60 test -e "$folder/ready" || {
    tail -n 20 "$folder/console" >&2
    die "node $n did not boot"
  }
}

run_in_node() {
  local n=$1 queue id status
  queue=$(node_folder "$n")/queue
  id=$$.$RANDOM
  is_running "$n" || die "node $n is down"
  printf '%s\n' "$2" >"$queue/$id.part"
  mv "$queue/$id.part" "$queue/$id.cmd"
  within "${LAB_EXEC_SECONDS:-60}" answered_or_down "$n" "$queue/$id.status" || die "node $n: no answer to: $2"
  cat "$queue/$id.out" 2>/dev/null || true
  [[ -s $queue/$id.status ]] || die "node $n went down during: $2"
  status=$(<"$queue/$id.status")
  exit "$status"
}

answered_or_down() { [[ -s $2 ]] || ! is_running "$1"; }

is_down() { ! is_running "$1"; }

# Kills the first process in the guest's pid namespace: when unshare has seen it end, no thread of it is left.
power_off() {
  local n=$1 pid
  pid=$(node_process "$n")
  if is_running "$n"; then
    # shellcheck disable=SC2046 # a list of pids
    kill -KILL $(cat "/proc/$pid/task/$pid/children") 2>/dev/null || true
    within 10 is_down "$n" || die "node $n cannot be killed"
  fi
  unplug "$n"
}

shut_down() {
  touch "$(node_folder "$1")/queue/stop"
  within 30 is_down "$1" || die "node $1 does not shut down"
  unplug "$1"
}

unplug() {
  rm -f "$(node_folder "$1").pid"
  ip link delete "tap$1" 2>/dev/null || true
}

down() {
  local file
  for file in "$LAB_OUT"/node*.pid; do
    [[ ! -e $file ]] || power_off "$(basename "$file" .pid | tr -dc 0-9)"
  done
}

word=${1-}
shift || die "usage: lab.sh enter OUT SCRIPT | up | start N [DISK] | exec N COMMAND | kill N | stop N | down"
case $word in
  enter) enter "$@" ;;
  inside) inside "$@" ;;
  *)
    require_lab
    case $word in
      up) up ;;
      start) start "$@" ;;
      exec) run_in_node "$@" ;;
      kill) power_off "$1" ;;
      stop) shut_down "$1" ;;
      down) down ;;
      *) die "no word '$word'" ;;
    esac
    ;;
esac
