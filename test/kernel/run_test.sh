#!/bin/bash
# Runs one script of the kernel tier and prints its TAP.
#   run_test.sh SCRIPT OUT     a script of guest/ runs inside a guest, one of lab/ beside the guests it starts
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
case $(basename "$(dirname "$1")") in
  guest) exec "$here/guest.sh" run "$2" "$1" ;;
  lab)
    rm -rf "$2"
    exec setpriv --pdeathsig KILL timeout --kill-after=5 300 setpriv --pdeathsig KILL "$here/lab.sh" enter "$2" "$1"
    ;;
  *)
    echo "$1 is neither in guest/ nor in lab/" >&2
    exit 2
    ;;
esac
