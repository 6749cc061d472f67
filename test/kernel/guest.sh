#!/bin/bash
# A guest: User Mode Linux, a kernel that is an ordinary process of this machine.
#
#   guest.sh run OUT SCRIPT              boots, runs a script of this tree in the guest, prints its output.
#                                        Exit status: the script's; 125 when the guest gave none (see OUT/console)
#   guest.sh boot OUT NAME [ARG...]      boots a guest that serves commands (lab.sh); ARGs go to its kernel
#
# The guest lives in a pid namespace of its own: whatever ends this script, also by SIGKILL, ends the guest.
# Environment: GUEST_MEMORY (512M), GUEST_SECONDS, the time after which a guest is killed (300), and what the script sees:
# GUEST_KILLS, GUEST_VOLUMES and GUEST_CALLS (guest/csi_lvm_kill.sh), GUEST_CYCLES and GUEST_OUTAGE (guest/csi_nas_outages.sh);
# CSI_SANITY, a program of /usr (guest/csi_lvm.sh, csi_disk_suite.sh, csi_nas_suite.sh).
set -euo pipefail

tree=$(cd "$(dirname "$0")/../.." && pwd)
modules=/usr/lib/uml/modules
deadly=()  # a prefix for the guest's command: what ties its life to that of this script

die() {
  echo "guest.sh: $*" >&2
  exit 125
}

# What UML needs of us on processors newer than it (uml_xstate.cpp): compiled when that is not done, by several at a time too.
preloaded() {
  local source=$tree/test/kernel/uml_xstate.cpp library=$tree/out/preload/uml_xstate.so made
  if [[ ! $library -nt $source ]]; then
    mkdir -p "${library%/*}"
    made=$(mktemp "$library.XXXXXX")
    g++ -std=c++20 -O1 -shared -fPIC -o "$made" "$source" >&2 || die "$source does not compile"
    mv "$made" "$library"
  fi
  echo "$library"
}

# boot OUT RUN NAME [ARG...]: returns when the guest is off.
boot() {
  local out=$1 run=$2 name=$3 preload
  shift 3
  command -v linux.uml >/dev/null || die "no linux.uml: install user-mode-linux"
  # These words go through the kernel's command line and mount options, which know no quoting.
  [[ ! "$tree$out$run" =~ [[:space:],] ]] || die "the path of the tree may have no space and no comma: $tree"
  preload=$(preloaded)
  exec "${deadly[@]}" unshare --pid --fork --kill-child=KILL timeout --kill-after=5 "${GUEST_SECONDS:-300}" \
    env LD_PRELOAD="$preload" linux.uml mem="${GUEST_MEMORY:-512M}" root=none rootfstype=hostfs rootflags=/ ro quiet noreboot \
    init="$tree/test/kernel/init.sh" con=null con0=null,fd:1 ssl=null uml_dir="$out/uml" umid=guest \
    GUEST_RUN="$run" GUEST_OUT="$out" GUEST_TREE="$tree" GUEST_MODULES="$modules" GUEST_NAME="$name" \
    GUEST_KILLS="${GUEST_KILLS:-}" GUEST_VOLUMES="${GUEST_VOLUMES:-}" GUEST_CALLS="${GUEST_CALLS:-}" GUEST_CYCLES="${GUEST_CYCLES:-}" GUEST_OUTAGE="${GUEST_OUTAGE:-}" CSI_SANITY="${CSI_SANITY:-}" "$@" \
    </dev/null >"$out/console" 2>&1
}

fresh_folder() {
  rm -rf "$1"
  mkdir -p "$1"
  readlink -f "$1"
}

run_script() {
  local out script
  out=$(fresh_folder "$1")
  script=$(readlink -f "$2")
  [[ $script == "$tree"/* ]] || die "$2 is not in the tree, so the guest does not see it"
  deadly=(setpriv --pdeathsig KILL)
  (boot "$out" "$script" guest) || true
  rm -rf "$out/uml"
  [[ ! -f $out/log ]] || cat "$out/log"
  if [[ ! -s $out/status ]]; then
    tail -n 20 "$out/console" >&2
    die "the guest gave no result (its console is above)"
  fi
  exit "$(<"$out/status")"
}

case ${1-} in
  run) run_script "$2" "$3" ;;
  boot) boot "$(fresh_folder "$2")" agent "${@:3}" ;;
  *) die "usage: guest.sh run OUT SCRIPT | boot OUT NAME [ARG...]" ;;
esac
