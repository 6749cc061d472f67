#!/bin/bash
# Two nodes, each a kernel of its own, joined by VXLAN the way flannel does it: one route, one neighbour and one
# forwarding entry a peer.
source "$(dirname "$0")/../../tap.sh"

lab=$(cd "$(dirname "$0")/.." && pwd)/lab.sh

# overlay N PEER: what node N needs to reach PEER's pods.
overlay() {
  "$lab" exec "$1" "
    set -e
    modprobe vxlan
    ip address add 192.0.2.$1/24 dev vec0
    ip link set vec0 up
    ip link add flannel.1 address 02:00:00:00:00:0$1 mtu 1450 type vxlan id 1 local 192.0.2.$1 dev vec0 dstport 8472 nolearning
    ip address add 10.7.$1.0/32 dev flannel.1
    ip link set flannel.1 up
    ip route add 10.7.$2.0/24 via 10.7.$2.0 dev flannel.1 onlink
    ip neighbour add 10.7.$2.0 lladdr 02:00:00:00:00:0$2 dev flannel.1 nud permanent
    bridge fdb add 02:00:00:00:00:0$2 dev flannel.1 dst 192.0.2.$2"
}

plan 8
check "the network comes up" "$lab" up
check "node 1 boots" "$lab" start 1
check "node 2 boots" "$lab" start 2
check "node 1 gets its overlay" overlay 1 2
check "node 2 gets its overlay" overlay 2 1
check "a packet of full size crosses the overlay" "$lab" exec 1 'ping -c 2 -i 0.2 -W 5 -M do -s 1422 10.7.2.0'
check "the commands' exit status arrives" fails "$lab" exec 1 'exit 3'
check "node 1 shuts down" "$lab" stop 1
