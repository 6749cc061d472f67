#!/bin/bash
# csi-nas as it is shipped, by its socket, as kubelet calls it, with the kernel's NFS server: in every version, and while the
# server is dead.
source "$(dirname "$0")/../../tap.sh"
source "$(dirname "$0")/../nfs_server.sh"

tree=$(cd "$(dirname "$0")/../../.." && pwd)

plan 19
start_servers() { start_nfs_server && for n in 3 4 5; do ip address add 10.9.0.$n/24 dev vserver || return; done; }

check "an NFS server is started" start_servers
check "mounts are shared, as systemd makes them" mount --make-rshared /
mkdir -p /var/lib/kubelet/{pods,plugins_registry}
in_node /usr/bin/python3 -B "$tree/test/kernel/nas/nas_story.py"
