#!/bin/bash
# Process 1 of the demo's node, in network, mount and pid namespaces that end with it. Boots what a node boots and
# stays in the foreground with the container runtime.
#   boot.sh DISK SOCKET
# DISK is what the node keeps through a power cut; /run is new at every boot, and so is the boot id.
set -euo pipefail

disk=$1
socket=$2

mount_disk() {
  mount --make-rprivate /
  mount -t tmpfs -o mode=755 run /run
  mkdir -p /run/etc/{upper,work} "$disk"/{var-lib/cni,var-lib/containerd,opt/cni/bin,etc-cni/net.d}
  mount -t overlay -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work etc /etc
  mkdir -p /etc/cni
  mount --bind "$disk/etc-cni" /etc/cni
  mount --bind "$disk/var-lib" /var/lib
  mount --bind "$disk/opt" /opt
}

# A machine has another boot id after each start; this kernel goes on running, so the node gets one of its own.
new_boot_id() {
  cat /proc/sys/kernel/random/uuid >/run/boot_id
  mount --bind /run/boot_id /proc/sys/kernel/random/boot_id
}

# What flanneld leaves on a node: the node's subnet.
write_subnet() {
  mkdir -p /run/flannel
  cat >/run/flannel/subnet.env <<END
FLANNEL_NETWORK=10.244.0.0/16
FLANNEL_SUBNET=10.244.1.1/24
FLANNEL_MTU=1450
FLANNEL_IPMASQ=true
END
}

start_runtime() {
  cat >/run/containerd.toml <<END
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "$socket"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/holdfast-demo:1"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/opt/cni/bin"
    conf_dir = "/etc/cni/net.d"
END
  exec containerd --config /run/containerd.toml
}

mount_disk
new_boot_id
write_subnet
ip link set lo up
start_runtime
