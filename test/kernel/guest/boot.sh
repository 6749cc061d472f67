#!/bin/bash
# The guest itself: what the other scripts of this folder take for granted.
source "$(dirname "$0")/../../tap.sh"

tree=$(cd "$(dirname "$0")/../../.." && pwd)

packets_cross_a_bridge() {
  modprobe -a bridge veth &&
    ip netns add pod && ip link add br0 type bridge && ip link set br0 up && ip address add 10.9.0.1/24 dev br0 &&
    ip link add host0 master br0 up type veth peer name eth0 netns pod &&
    ip -n pod link set eth0 up && ip -n pod address add 10.9.0.2/24 dev eth0 &&
    ping -c 1 -W 5 10.9.0.2
}

plan 5
check "the kernel is the guest's own" grep -q 'User Mode Linux' /proc/cpuinfo
check "the modules that the tests need load" modprobe -a vxlan bridge veth tun br_netfilter sch_netem sch_tbf
check "packets cross a bridge into a namespace" packets_cross_a_bridge
check "the tree of the host cannot be written" fails touch "$tree/test/kernel/written-by-a-guest"
check "the host's tools are there" command -v ip bridge ping iptables
