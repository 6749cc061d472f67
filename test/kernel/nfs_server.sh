# shellcheck shell=bash
# The kernel's NFS server in a guest, and a network namespace `node` whose kernel is its client. Sourced by scripts of
# guest/. Its programs come from build/guest_packages (scripts/packages.sh).
#
#     10.9.0.1, 10.9.0.2   the server, of versions 3 to 4.2
#     10.9.0.9             the node
#     /srv/share           the export, an ext4 on a loop device; also for clients with ports of all users (noresvport)

guest_packages=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/build/guest_packages/root
export LD_LIBRARY_PATH=$guest_packages/usr/lib/x86_64-linux-gnu:$guest_packages/lib/x86_64-linux-gnu
export PATH=$PATH:$guest_packages/usr/sbin:$guest_packages/sbin

make_network() {
  ip netns add node && ip link add vserver type veth peer name vnode netns node &&
    ip address add 10.9.0.1/24 dev vserver && ip address add 10.9.0.2/24 dev vserver && ip link set vserver up &&
    ip -n node address add 10.9.0.9/24 dev vnode && ip -n node link set vnode up && ip -n node link set lo up
}

make_nfs_folders() {
  mkdir -p /var/lib/nfs/{rpc_pipefs,v4recovery,sm,sm.bak,nfsdcltrack,nfsdcld} /run/rpcbind /srv/share /etc/exports.d &&
    touch /var/lib/nfs/{etab,rmtab,state,export-lock} && cp "$guest_packages/etc/netconfig" /etc/
}

make_export() {
  modprobe -a loop nfs nfsv3 nfsv4 nfsd veth iptable_filter && make_nfs_folders &&
    truncate -s 256M /tmp/share.img && mkfs.ext4 -q /tmp/share.img && mount -o loop /tmp/share.img /srv/share &&
    chmod 777 /srv/share
}

# What their packages would have made when installed, and what is exported.
know_service_users() {
  grep -q ^_rpc: /etc/passwd || echo '_rpc:x:110:65534::/run/rpcbind:/usr/sbin/nologin' >>/etc/passwd
  grep -q ^statd: /etc/passwd || echo 'statd:x:111:65534::/var/lib/nfs:/usr/sbin/nologin' >>/etc/passwd
  echo '/srv/share *(rw,no_root_squash,no_subtree_check,sync,insecure)' >/etc/exports
}

start_nfs_server() { make_network && make_export && know_service_users && serve_exports; }

serve_exports() {
  mount -t rpc_pipefs sunrpc /var/lib/nfs/rpc_pipefs && mount -t nfsd nfsd /proc/fs/nfsd && rpcbind -w && exportfs -ra ||
    return
  echo 10 >/proc/fs/nfsd/nfsv4leasetime
  echo 10 >/proc/fs/nfsd/nfsv4gracetime
  rpc.mountd && rpc.nfsd 4 || return
  # Nobody has locks to reclaim from a server that has just been made.
  echo Y >/proc/fs/nfsd/v4_end_grace
  [[ ! -e /proc/fs/lockd/nlm_end_grace ]] || echo Y >/proc/fs/lockd/nlm_end_grace
}

# in_node COMMAND...: in the node's network, and this script's mounts.
in_node() { nsenter --net=/run/netns/node "$@"; }
