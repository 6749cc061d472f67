#!/bin/bash
# Runs a command in the Debian of ./run cross, in this tree, which lies there at its own path; with no network, and in folders
# for mounts of its own. What it started ends with it.
#   cross_debian.sh COMMAND...
set -euo pipefail

tree=$(cd "$(dirname "$0")/.." && pwd)
root=$tree/build/debian_cross

mkdir -p "$root$tree"
# shellcheck disable=SC2016 # for the inner shell
exec setpriv --pdeathsig KILL unshare --net --mount --pid --fork --kill-child=KILL bash -ec '
  mount --bind "$1" "$1"  # so that its / is a mount, as ip-netns(8) needs it
  mount --bind "$2" "$1$2"
  mount -t proc proc "$1/proc"
  exec chroot "$1" env --chdir="$2" PATH=/usr/sbin:/usr/bin CCACHE_DIR="$2/build/ccache" "${@:3}"' - "$root" "$tree" "$@"
