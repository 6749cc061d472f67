#!/bin/bash
# csi-nas as it is shipped makes, copies and deletes volumes on the kernel's NFS server, which dies meanwhile.
source "$(dirname "$0")/../../tap.sh"
source "$(dirname "$0")/../nfs_server.sh"

tree=$(cd "$(dirname "$0")/../../.." && pwd)

# An export whose file system can share the content of files.
start_servers() {
  start_nfs_server && ip address add 10.9.0.3/24 dev vserver && mkdir -p /srv/clones && truncate -s 400M /tmp/clones.img &&
    mkfs.xfs -q -m reflink=1 /tmp/clones.img && mount -o loop /tmp/clones.img /srv/clones &&
    exportfs -o rw,no_root_squash,no_subtree_check,sync,insecure '*:/srv/clones'
}

plan 14
check "an NFS server is started" start_servers
mkdir -p /var/lib/kubelet/{pods,plugins_registry}
# By an address of its own, which dies beside the others.
in_node env HOLDFAST_BIN="$tree/build/bin" "$tree/build/guest/bin/nas_shares_guest_test" >/out/contract 2>&1 &
contract=$!
in_node /usr/bin/python3 -B "$tree/test/kernel/nas/volumes_story.py"
kept=0
wait $contract || kept=$?
[[ $kept -eq 0 ]] || cat /out/contract
check "shares, calls and states of the kernel's server keep to their contracts" test $kept -eq 0
