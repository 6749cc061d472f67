#!/bin/bash
# Our Debian packages in a Debian of their own, which a guest boots with systemd: installed over flannel's own plugin,
# configured, running, removed.
source "$(dirname "$0")/../tap.sh"

tree=$(cd "$(dirname "$0")/../.." && pwd)
work=$tree/out/package_test

if [[ ! -f $tree/build/debian_root.tar ]]; then
  plan 1
  echo "ok the packages install, run and go # SKIP no Debian could be made to install them in"
  exit
fi
rm -rf "$work"
mkdir -p "$work/root"
trap 'rm -rf "$work/root"' EXIT
tar --extract --file="$tree/build/debian_root.tar" --directory="$work/root"
mkdir -p "$work/root/test"
# A copy: what is removed with the guest's root must be nothing of this machine's.
cp -r /usr/lib/uml/modules "$work/root/lib"
cp "$tree"/out/packages/*_"$(dpkg --print-architecture)".deb "$tree/test/tap.sh" "$tree/test/release/inside/packages.sh" "$work/root/test"
echo edge-1 >"$work/root/etc/hostname"
cat >"$work/root/etc/systemd/system/test.service" <<'END'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
Environment=HOME=/root
ExecStart=/bin/bash -c 'bash /test/packages.sh >/test/log 2>&1; echo $? >/test/status; sync; systemctl --force --force poweroff'
END
ln -s ../test.service "$work/root/etc/systemd/system/multi-user.target.wants/test.service"
truncate -s 200M "$work/disk-a" "$work/disk-b"

# These words come behind guest.sh's own, and the kernel takes the last of each.
GUEST_SECONDS=${GUEST_SECONDS:-600} "$tree/test/kernel/guest.sh" boot "$work/guest" packages "ubd0=$work/disk-a" "ubd1=$work/disk-b" \
  "rootflags=$work/root" rw init=/lib/systemd/systemd || true
cat "$work/root/test/log" || tail -n 30 "$work/guest/console"
exit "$(cat "$work/root/test/status" || echo 125)"
