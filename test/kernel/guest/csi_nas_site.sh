#!/bin/bash
# csi-nas as it is shipped, with an NFS server that only the nodes of a site reach: its controller is in a network of its own,
# with a way to the API server and to nothing else.
source "$(dirname "$0")/../../tap.sh"
source "$(dirname "$0")/../nfs_server.sh"

tree=$(cd "$(dirname "$0")/../../.." && pwd)

#     10.10.0.1   the node's side of the cloud's network, where the API server is
#     10.10.0.2   the controller
make_cloud() {
  ip netns add cloud && ip link add to-cloud netns node type veth peer name eth0 netns cloud &&
    ip -n node address add 10.10.0.1/24 dev to-cloud && ip -n node link set to-cloud up &&
    ip -n cloud address add 10.10.0.2/24 dev eth0 && ip -n cloud link set eth0 up && ip -n cloud link set lo up
}

start_site() { start_nfs_server && make_cloud; }

plan 8
check "an NFS server of a site is started" start_site
mkdir -p /var/lib/kubelet/{pods,plugins_registry}
in_node /usr/bin/python3 -B "$tree/test/kernel/nas/site_story.py"
