#!/bin/bash
# The NFS server of the share demo, in a guest of its own: serves its disk.
source "$(dirname "$0")/../kernel/nfs_server.sh"

modprobe -a nfsd && make_nfs_folders && know_service_users &&
  mount /dev/ubda /srv/share && chmod 777 /srv/share &&
  ip address add 10.9.0.1/24 dev vec0 && ip link set vec0 up && serve_exports </dev/null >/out/server.log 2>&1
