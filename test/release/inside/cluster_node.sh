#!/bin/bash
# What test/release/cluster_node.sh does in its guest: systemd and systemd-networkd run, our packages lie beside this script, and the
# file `boot` tells which of two boots this is.
# shellcheck source=/dev/null
source "$(dirname "$0")/tap.sh"
# shellcheck source=/dev/null
source "$(dirname "$0")/units.sh"
cd "$(dirname "$0")" || exit
# shellcheck source=test/release/inside/cloud.sh
source ./cloud.sh

packages=(holdfast-cni holdfast-node holdfast-csi holdfast-gateway)
units=(flanneld egw-helper)

# The networkd of this boot has settled a link.
networkd_says() { [[ $(sed -n 's/^ADMIN_STATE=//p' "/run/systemd/netif/links/$(<"/sys/class/net/$1/ifindex")") == "$2" ]]; }
has_address() { networkd_says eth0 configured && ip -4 address show dev eth0 | grep -q 192.168.1.11/24; }

network_by_networkd() { update-alternatives --set iptables /usr/sbin/iptables-legacy && with_journal systemd-networkd within 30 has_address; }

cluster_is_made() {
  administer node_admin.py cluster && administer node_admin.py files &&
    runs_in_cloud controller.log "$tree/build/bin/flannel-controller" --kubeconfig="$node/test/controller.kubeconfig" --namespace=kube-flannel --cluster-cidr=10.244.0.0/16
}

# With no D-Bus networkd reads the files of a package when it starts.
installs() { all_files >before && dpkg --install ./*.deb && systemctl restart systemd-networkd && within 30 has_address; }

# By the files and flags of the page; the token of each kubeconfig was made for its account, bound to the Node.
node_takes_part() {
  systemctl restart flanneld &&
    with_journal flanneld within 60 has_lease &&
    with_journal flanneld within 60 has_peer &&
    with_journal flanneld administer node_admin.py told
}
has_lease() { [[ -s /run/flannel/subnet.env ]] && is_ready 8081; }
has_peer() { [[ $(ip -4 route show dev flannel.1) == *"via 10.244."*onlink* && $(holdfast status) == *"edge-2 "*programmed* ]]; }

# cni VERB SANDBOX: as a container runtime calls the plugin, for one pod.
cni() {
  CNI_COMMAND=$1 CNI_CONTAINERID=$2 CNI_NETNS=/run/netns/$2 CNI_IFNAME=eth0 CNI_PATH=/opt/cni/bin \
    CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=till-0;K8S_POD_UID=till" /opt/cni/bin/flannel <plugin.json
}
pod_starts() { ip netns add "$1" && cni ADD "$1" && within 10 pod_reaches_node "$1"; }
# Who refuses a connection was reached.
pod_reaches_node() {
  local gateway
  gateway=$(ip -n "$1" -4 route show default | cut -d ' ' -f 3)
  [[ $(ip netns exec "$1" timeout 5 bash -c "exec 3<>/dev/tcp/$gateway/9" 2>&1) == *refused* ]]
}

vpc_is_closed() {
  sed "s#10.244.1.0/24#$(sed -n 's/^FLANNEL_SUBNET=\(.*\)\.1\(.*\)/\1.0\2/p' /run/flannel/subnet.env)#" \
    /usr/share/doc/holdfast-gateway/examples/site.yaml >/etc/egw/gateways/site.yaml &&
    systemctl start egw-helper &&
    with_journal egw-helper within 30 vpc_is_unreachable &&
    with_journal egw-helper within 30 test -s /var/lib/egw/helper.json
}
vpc_is_unreachable() { [[ $(ip -4 route show proto 157) == *"unreachable 172.16.0.0/12"* ]]; }

# identity SANDBOX: what a reboot must not change.
identity() {
  cat /run/flannel/subnet.env
  ip -o link show flannel.1 | grep -o 'link/ether [0-9a-f:]*'
  ip -n "$1" -o address show dev eth0 scope global | grep -o 'inet.* '
  ip -n "$1" -o link show eth0 | grep -o 'link/ether [0-9a-f:]*'
}

pod_links() { (cd /sys/class/net && echo veth*); }

# All that programs of ours and the plugin have put into the kernel, as it is to stay.
kernel_state() {
  local link
  for link in flannel.1 cni0 $(pod_links); do
    echo "$link $(cat "/sys/class/net/$link/"{address,mtu} | paste -sd' ') $(readlink "/sys/class/net/$link/master")"
  done
  ip -o -4 address show | grep -oE '(flannel\.1|cni0) +inet [0-9./]+'
  ip -4 route show table all | grep -E 'flannel\.1|cni0|proto 157' | sort
  ip rule
  ip neigh show dev flannel.1 nud permanent
  bridge fdb show dev flannel.1 | grep dst
}

networkd_restarts() {
  local link watcher
  kernel_state >state.before
  grep -q 'veth.*/cni0' state.before || { cat state.before; return 1; }
  ip link add other0 type dummy
  ip monitor link address route rule neigh >changes 2>&1 &
  watcher=$!
  systemctl restart systemd-networkd
  # the operator's file for every link counts
  with_journal systemd-networkd within 30 has_address && within 10 networkd_says other0 configuring || return
  for link in flannel.1 cni0 $(pod_links); do
    networkd_says "$link" unmanaged || { echo "$link is not left alone"; return 1; }
  done
  sleep 2
  kill "$watcher"
  kernel_state >state.after
  diff state.before state.after &&
    pod_reaches_node till-a &&
    fails grep -E '^Deleted.*(flannel\.1|cni0|veth|proto 157|lookup 2015)' changes
}

goes_on_without_cloud() {
  cloud_ends &&
    systemctl restart "${units[@]}" &&
    with_journal flanneld within 30 has_lease &&
    has_peer && vpc_is_unreachable && pod_reaches_node till-a &&
    identity till-a >kept
}

has_booted() {
  with_journal flanneld within 60 has_lease &&
    [[ $(systemctl is-active "${units[@]}" egw-helper-boot | sort -u) == active ]] &&
    has_peer && with_journal egw-helper vpc_is_unreachable
}

# Nothing could leave in clear before, as no link had an address.
closed_before_network() {
  local closed begun
  closed=$(systemctl show -P ExecMainExitTimestampMonotonic egw-helper-boot)
  begun=$(systemctl show -P ExecMainStartTimestampMonotonic systemd-networkd)
  echo "$closed $begun"
  ((closed > 0 && closed < begun))
}

# A kubelet ends sandboxes of before the boot when it comes to it, without a namespace that they had.
same_as_before() { pod_starts till-b && identity till-b | diff kept - && cni DEL till-a && pod_reaches_node till-b; }

purge_leaves_nothing() {
  cni DEL till-b &&
    dpkg --purge "${packages[@]}" &&
    all_files >after &&
    comm -13 before after | fails grep -vE '^/(etc/(kube-flannel|cni|holdfast|lvm|egw)|var/lib/kubelet)(/|$)'
}

if [[ $(<boot) == online ]]; then
  plan 13
  check "the node has its network from systemd-networkd" network_by_networkd
  check "an API server is there, with our manifests' roles and policies" cloud_starts \
    flannel-token=kube-flannel/flannel@edge-1 controller-token=kube-flannel/flannel-controller@cloud
  check "the packages install" installs
  check "an administrator has a cluster, and copies the node's files" cluster_is_made
  check "flanneld has its lease and peer, and the API server knows of both, by a token bound to the Node" node_takes_part
  check "a pod starts" pod_starts till-a
  check "egw-helper closes its ranges" vpc_is_closed
  check "systemd-networkd, restarted, takes nothing away from us" networkd_restarts
  check "all go on, and start again, when there is no API server any more" goes_on_without_cloud
else
  check "after a boot with no cloud all units are ready" has_booted
  check "ranges were closed before a link had an address" closed_before_network
  check "subnet, MACs and the pod's address are what they were" same_as_before
  check "a purge leaves nothing but what others wrote" purge_leaves_nothing
fi
