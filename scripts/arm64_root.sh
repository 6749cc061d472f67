#!/bin/bash
# Runs a command in a root file system of arm64 on a machine that is none: qemu's user mode runs it, and what it starts.
#   arm64_root.sh ROOT COMMAND...
# The kernel learns of qemu in a user namespace of the command's own, with the users of the machine, which itself hears nothing of
# it. A kernel before 6.7 has one list of such interpreters (binfmt_misc), and that is its owner's: qemu must be on it already, as
# Debian's package qemu-user-static has it. There is no network, and what the command started ends with it.
set -euo pipefail

ARM64_QEMU=$(cd "$(dirname "$0")/.." && pwd)/build/debian_cross/usr/bin/qemu-aarch64-static
ARM64_ROOT=$(readlink -f "$1")
export ARM64_QEMU ARM64_ROOT
shift

# Process $1 is in a user namespace soon. Only who is outside may say which users that has.
tell_users() {
  local proc=$ARM64_ROOT/proc
  while [[ $(readlink "$proc/$1/ns/user") == "$(readlink "$proc/self/ns/user")" ]]; do sleep 0.01; done
  echo 0 0 4294967295 | tee "$proc/$1/uid_map" >"$proc/$1/gid_map"
}

# Has lost its rights with its users; once these are told, what it starts as root has them.
await_users() {
  until [[ -n $(<"$ARM64_ROOT/proc/self/uid_map") ]]; do sleep 0.01; done
  exec bash -ec 'register_qemu && exec chroot "$ARM64_ROOT" env -i HOME=/root LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin "$@"' - "$@"
}

# An ELF header of 64 bits, little-endian, ET_EXEC or ET_DYN, EM_AARCH64. F: qemu is opened now, as there is none in the root.
register_qemu() {
  local list=$ARM64_ROOT/proc/sys/fs/binfmt_misc
  local elf='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
  local mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
  if mount -t binfmt_misc binfmt_misc "$list" 2>/dev/null; then
    echo ":qemu-aarch64:M::$elf:$mask:$ARM64_QEMU:FP" >"$list/register"
  elif ! grep -qs enabled "$list/qemu-aarch64" /proc/sys/fs/binfmt_misc/qemu-aarch64; then
    echo "arm64_root.sh: this kernel cannot be told of qemu for one command (Linux 6.7 can): install qemu-user-static and binfmt-support" >&2
    return 1
  fi
}

export -f tell_users await_users register_qemu
# Process 1 stays outside: the kernel forgets that who gains rights is to be killed with its parent.
# shellcheck disable=SC2016 # for the inner shell
exec setpriv --pdeathsig KILL unshare --net --mount --pid --fork --kill-child=KILL bash -ec '
  mount --bind "$ARM64_ROOT" "$ARM64_ROOT"
  mount -t proc proc "$ARM64_ROOT/proc"
  unshare --user --mount bash -ec "await_users \"\$@\"" - "$@" <&0 &
  tell_users $!
  wait $!' - "$@"
