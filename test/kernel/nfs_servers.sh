# shellcheck shell=bash
# Several NFS servers in a guest, each in a network namespace and under a host name of its own, so that clients of version 4 take
# them for different machines; and a network namespace `node` whose kernel is their client. Sourced by scripts of guest/.
#
#     10.9.1.2-5, 10.9.1.6-9...    the first, the second server and so on. To clients of different versions each address is a
#                                  server of its own
#     10.9.1.1                     the first, too
#     10.9.2.9                     the node
#     /srv/share                   what each of them exports, one ext4 on a loop device
source "$(dirname "${BASH_SOURCE[0]}")/nfs_server.sh"

make_servers_network() {
  modprobe -a bridge &&
    ip link add servers type bridge && ip link set servers up &&
    ip netns add node && ip link add to-node type veth peer name eth0 netns node &&
    ip link set to-node master servers up &&
    ip -n node address add 10.9.2.9/16 dev eth0 && ip -n node link set eth0 up && ip -n node link set lo up
}

# Runs in the server's namespaces of network, mounts and host name.
begin_server() {
  hostname "$1" && mount -t tmpfs run /run && mount -t tmpfs nfs /var/lib/nfs &&
    mkdir -p /var/lib/nfs/{rpc_pipefs,v4recovery,sm,sm.bak,nfsdcltrack,nfsdcld,ganesha} /run/rpcbind /run/ganesha &&
    touch /var/lib/nfs/{etab,rmtab,state,export-lock} && rpcbind -w && rpc.statd --no-notify
}

# The kernel's server; likewise.
serve_by_kernel() {
  begin_server "$1" &&
    mount -t rpc_pipefs sunrpc /var/lib/nfs/rpc_pipefs && mount -t nfsd nfsd /proc/fs/nfsd && nfsdcld &&
    exportfs -ra || return
  echo 10 >/proc/fs/nfsd/nfsv4leasetime
  echo 10 >/proc/fs/nfsd/nfsv4gracetime
  rpc.mountd && rpc.nfsd 4 || return
  echo Y >/proc/fs/lockd/nlm_end_grace  # nobody has locks to reclaim
}

# nfs-ganesha, a server that is an ordinary process; likewise.
serve_by_ganesha() {
  local plugins=$guest_packages/usr/lib/x86_64-linux-gnu/ganesha
  begin_server "$1" || return
  printf '%s\n' >/run/ganesha/ganesha.conf \
    "NFS_CORE_PARAM { Protocols = 3, 4; Enable_RQUOTA = false; Plugins_Dir = \"$plugins\"; }" \
    'NFSv4 { Minor_Versions = 0, 1, 2; Grace_Period = 1; Lease_Lifetime = 10; RecoveryBackend = fs; Only_Numeric_Owners = true;' \
    '  UseGetpwnam = true; }' \
    'NFS_KRB5 { Active_krb5 = false; }' \
    'EXPORT { Export_Id = 1; Path = /srv/share; Pseudo = /srv/share; Protocols = 3, 4; Transports = TCP; Access_Type = RW;' \
    '  Squash = No_Root_Squash; SecType = sys; PrivilegedPort = false; FSAL { Name = VFS; } }'
  LD_LIBRARY_PATH+=:$guest_packages/usr/lib/ganesha "$guest_packages/usr/bin/ganesha.nfsd" -f /run/ganesha/ganesha.conf \
    -p /run/ganesha/pid -L "/out/$1.log" -N NIV_EVENT
}

start_one_server() {
  local name=server-$1 address
  ip netns add "$name" && ip link add "to-$1" type veth peer name eth0 netns "$name" &&
    ip link set "to-$1" master servers up &&
    ip -n "$name" link set eth0 up && ip -n "$name" link set lo up || return
  [[ $1 -gt 1 ]] || ip -n "$name" address add 10.9.1.1/16 dev eth0 || return
  for address in $((4 * $1 - 2)) $((4 * $1 - 1)) $((4 * $1)) $((4 * $1 + 1)); do
    ip -n "$name" address add "10.9.1.$address/16" dev eth0 || return
  done
  ip netns exec "$name" unshare --uts bash -c \
    "$(declare -f begin_server "$2"); guest_packages=$guest_packages; $2 $name" </dev/null
}

# start_nfs_servers COUNT [serve_by_kernel|serve_by_ganesha]
start_nfs_servers() {
  local number
  make_servers_network && make_export && know_service_users || return
  for ((number = 1; number <= $1; number++)); do
    start_one_server "$number" "${2:-serve_by_kernel}" || return
  done
}
