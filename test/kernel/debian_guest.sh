# shellcheck shell=bash
# A guest with a Debian of its own, which boots with systemd and has our packages beside a script that is run in it. Sourced.

tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# skip_without_debian WHAT: ends the script with one check that is skipped where no Debian could be made.
skip_without_debian() {
  [[ ! -f $tree/build/debian_root.tar ]] || return 0
  plan 1
  echo "ok $1 # SKIP no Debian could be made to install them in"
  exit
}

# make_root WORK SCRIPT: WORK/root, which goes when this script ends. Each boot runs SCRIPT, of test/release/inside, when systemd has
# started all; what it says comes to /test/log, its exit status to /test/status. It has tap.sh, units.sh, cloud.sh and our packages.
make_root() {
  local root=$1/root script=$2
  rm -rf "$1"
  mkdir -p "$root"
  # shellcheck disable=SC2064 # the folder of now
  trap "rm -rf '$root'" EXIT
  tar --extract --file="$tree/build/debian_root.tar" --directory="$root"
  mkdir -p "$root/test"
  # A copy: what is removed with the guest's root must be nothing of this machine's.
  cp -r /usr/lib/uml/modules "$root/lib"
  cp "$tree"/out/packages/*_"$(dpkg --print-architecture)".deb "$tree/test/tap.sh" "$tree"/test/release/inside/{units.sh,cloud.sh,"$script"} "$root/test"
  echo edge-1 >"$root/etc/hostname"
  cat >"$root/etc/systemd/system/test.service" <<END
[Unit]
After=multi-user.target
[Service]
Type=oneshot
Environment=HOME=/root
ExecStart=/bin/bash -c 'bash /test/$script >/test/log 2>&1; echo \$? >/test/status; sync; systemctl --force --force poweroff'
END
  ln -s ../test.service "$root/etc/systemd/system/multi-user.target.wants/test.service"
}

# boot_root WORK ARG...: until it is off; ARGs go to its kernel. Prints what the script said. Exit status: the script's, or 125.
boot_root() {
  local work=$1
  shift
  rm -f "$work/root/test/log" "$work/root/test/status"
  # These words come behind guest.sh's own, and the kernel takes the last of each.
  GUEST_SECONDS=${GUEST_SECONDS:-600} setpriv --pdeathsig KILL "$tree/test/kernel/guest.sh" boot "$work/guest" packages "$@" \
    "rootflags=$work/root" rw init=/lib/systemd/systemd || true
  cat "$work/root/test/log" || tail -n 30 "$work/guest/console"
  return "$(cat "$work/root/test/status" || echo 125)"
}
