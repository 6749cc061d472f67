#!/bin/bash
# Our Debian packages in a Debian of their own, which a guest boots with systemd: installed over flannel's own plugin,
# configured, running, removed.
source "$(dirname "$0")/../tap.sh"
source "$(dirname "$0")/../kernel/debian_guest.sh"

skip_without_debian "the packages install, run and go"
work=$tree/out/package_test
make_root "$work" packages.sh
truncate -s 200M "$work/disk-a" "$work/disk-b"
boot_root "$work" "ubd0=$work/disk-a" "ubd1=$work/disk-b"
