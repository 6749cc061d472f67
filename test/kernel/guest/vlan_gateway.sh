#!/bin/bash
# delegate.vlan: a gateway that an ADD left half made is put right by the next one.
source "$(dirname "$0")/../../tap.sh"
source "$(dirname "$0")/../pods.sh"

members='"delegate":{"isDefaultGateway":true,"vlan":100}'

# As a kill between the steps of an ADD leaves it, or a bridge that was made anew.
take_apart() {
  local port
  port=$(bridge -j link show | grep -oE 'veth[0-9a-f]+' | grep -v "$(host_link_of red1)" | sort -u) &&
    ip link set cni0.100 down && ip link set "$port" nomaster && ip link set "$port" down
}

plan 6
check "the modules load" start_node 8021q
check "a pod of a VLAN gets an address" add red1 flannel "$members"
check "and reaches its gateway" reaches red1 10.244.3.1
check "no more when that was taken apart" eval 'take_apart && fails reaches red1 10.244.3.1'
check "the next ADD puts it right" eval 'add red2 flannel "$members" && reaches red2 10.244.3.1'
check "for all pods" reaches red1 10.244.3.1
