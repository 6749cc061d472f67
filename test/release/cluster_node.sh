#!/bin/bash
# A node of a cluster whose network is the packages' units', as docs/debian-packages.md has it: a Debian of its own with
# systemd-networkd, which a guest boots twice, the second time with no cloud.
source "$(dirname "$0")/../tap.sh"
source "$(dirname "$0")/../kernel/debian_guest.sh"

skip_without_debian "a node of a cluster runs by units"
work=$tree/out/cluster_node_test
make_root "$work" cluster_node.sh

# The node's network is systemd-networkd's, by an operator's files, of which the last is for every link there is. What is at the other end
# of its cable takes part in nothing by itself.
networks=$work/root/etc/systemd/network
printf '[NetDev]\nName=eth0\nKind=veth\n[Peer]\nName=switch0\n' >"$networks/10-eth0.netdev"
printf '[Match]\nName=eth0\n[Network]\nAddress=192.168.1.11/24\nGateway=192.168.1.1\n' >"$networks/20-eth0.network"
printf '[Match]\nName=switch0\n[Network]\nLinkLocalAddressing=no\n' >"$networks/20-switch.network"
printf '[Match]\nName=*\n[Network]\nDHCP=ipv4\n' >"$networks/99-all.network"
ln -s /lib/systemd/system/systemd-networkd.service "$work/root/etc/systemd/system/multi-user.target.wants/"

echo "$tree" >"$work/root/test/tree"
/usr/bin/python3 -B "$tree/test/release/node_admin.py" "$work/root" certificate

# Each boot makes the checks of its own; the plan is the first one's.
status=0
for boot in online offline; do
  echo "$boot" >"$work/root/test/boot"
  boot_root "$work" || status=$?
done
exit "$status"
