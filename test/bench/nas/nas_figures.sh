#!/bin/bash
# The servers for nas_figures.py, and it, in a guest.
source "$(dirname "${BASH_SOURCE[0]}")/../../kernel/nfs_servers.sh"

# The machine 1 has the addresses of all: to clients of version 3 each is a server.
start_nfs_servers 1 >/out/servers 2>&1 || { cat /out/servers && exit 1; }
mkdir -p /var/lib/kubelet/{pods,plugins_registry}
in_node /usr/bin/python3 -B "$(dirname "${BASH_SOURCE[0]}")/nas_figures.py"
