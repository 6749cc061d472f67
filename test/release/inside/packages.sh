#!/bin/bash
# What test/release/packages.sh does in its guest: systemd runs, our packages lie beside this script. The guest's kernel
# has no nf_tables.
# shellcheck source=/dev/null
source "$(dirname "$0")/tap.sh"
# shellcheck source=/dev/null
source "$(dirname "$0")/units.sh"
cd "$(dirname "$0")" || exit

packages=(holdfast-cni holdfast-node holdfast-csi holdfast-gateway)
units=(flanneld node-resource-manager csi-lvm csi-node egw-helper-boot egw-helper egw-core egw-access)

# purged_leaves WHAT: what is in the folder of plugins when holdfast-cni was installed and has gone.
purged_leaves() {
  local plugins=/opt/cni/bin
  dpkg --install ./holdfast-cni_*.deb &&
    $plugins/flannel --help 2>&1 | grep -q 'CNI flannel plugin' &&
    dpkg --purge holdfast-cni || return
  ls -A "$plugins"
  if [[ $1 == nothing ]]; then
    [[ ! -e $plugins || -z $(ls -A "$plugins") ]]
  else
    [[ $(ls -A "$plugins") == flannel && $(cat "$plugins/flannel") == "$1" ]]
  fi
}

# Nodes to which `node.sh take` was done, where flannel's DaemonSet has put its own there after that, and where there never was any.
installs_over_ours() {
  local ours=/test/ours/opt/cni/bin/flannel plugins=/opt/cni/bin
  mkdir -p "$plugins" && dpkg-deb --extract ./holdfast-cni_*.deb /test/ours || return
  cp "$ours" "$plugins/flannel" && echo "flannel's own" >"$plugins/flannel.upstream" && purged_leaves "flannel's own" || return
  echo newer >"$plugins/flannel" && echo older >"$plugins/flannel.upstream" && purged_leaves newer || return
  rm "$plugins/flannel" && cp "$ours" "$plugins/flannel" && purged_leaves nothing || return
  mkdir -p "$plugins" && cp "$ours" "$plugins/flannel" && cp "$ours" "$plugins/flannel.upstream" && purged_leaves nothing && rm -rf /opt/cni
}

installs() {
  mkdir -p /opt/cni/bin &&
    echo "flannel's own" >/opt/cni/bin/flannel &&
    all_files >/test/before &&
    dpkg --install ./*.deb &&
    /opt/cni/bin/flannel --help 2>&1 | grep -q 'CNI flannel plugin' &&
    grep -q "flannel's own" /opt/cni/bin/flannel.upstream
}

idle_without_configuration() {
  local unit
  for unit in "${units[@]}"; do
    systemctl is-enabled "$unit" && [[ $(systemctl is-active "$unit") == inactive ]] || return 1
  done
  [[ -z $(systemctl list-units --failed --no-legend) ]]
}

overlay_comes_up() {
  update-alternatives --set iptables /usr/sbin/iptables-legacy &&
    modprobe -a dummy vxlan &&
    ip link add eth0 type dummy &&
    ip address add 192.168.1.11/24 dev eth0 &&
    ip link set eth0 up &&
    ip route add default via 192.168.1.1 &&
    cp /usr/share/doc/holdfast-node/examples/net-conf.json /etc/kube-flannel &&
    cp /usr/share/doc/holdfast-node/examples/nodes.yaml /etc/kube-flannel/nodes/all.yaml &&
    systemctl start flanneld &&
    with_journal flanneld within 30 overlay_is_whole
}
overlay_is_whole() {
  has_overlay_route &&
    [[ -s /run/flannel/subnet.env ]] &&
    iptables -t nat -S FLANNEL-POSTRTG &&
    [[ $(holdfast status) == *"edge-2 "*programmed* ]]
}
has_overlay_route() { [[ $(ip -4 route show 10.244.2.0/24) == *"dev flannel.1"* ]]; }

# cni VERB: as a container runtime calls the plugin, for one pod.
cni() {
  CNI_COMMAND=$1 CNI_CONTAINERID=a CNI_NETNS=/run/netns/a CNI_IFNAME=eth0 CNI_PATH=/opt/cni/bin \
    CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=a;K8S_POD_UID=a" /opt/cni/bin/flannel \
    <<<'{"cniVersion": "1.0.0", "name": "cbr0", "type": "flannel", "delegate": {"hairpinMode": true, "isDefaultGateway": true}}'
}
pod_starts() { modprobe -a bridge veth && ip netns add a && cni ADD && pod_reaches_node; }
# Who refuses a connection was reached.
pod_reaches_node() {
  local gateway
  gateway=$(ip -n a -4 route show default | cut -d ' ' -f 3)
  [[ $(ip netns exec a bash -c "exec 3<>/dev/tcp/$gateway/9" 2>&1) == *refused* ]]
}

group_from_disks() {
  modprobe -a dm-mod &&
    sed 's#/dev/vdb, /dev/vdc#/dev/ubda, /dev/ubdb#' /usr/share/doc/holdfast-csi/examples/node-resource-topo.yaml \
      >/etc/holdfast/node-resource-topo.yaml &&
    systemctl start node-resource-manager &&
    with_journal node-resource-manager within 30 has_group
}
has_group() { vgs --devicesfile holdfast.devices vg1 2>/dev/null; }

one_driver_serves() {
  mkdir -p /var/lib/kubelet/{pods,plugins_registry} &&
    systemctl start csi-lvm &&
    with_journal csi-lvm within 30 test -S /run/csi-lvm/csi.sock
}

# At a boot both units are started, in one transaction, and an upgrade starts one after the other.
one_driver_stays() {
  systemctl stop csi-lvm &&
    systemctl start csi-node csi-lvm &&
    with_journal csi-lvm systemctl is-active csi-lvm &&
    dpkg --install ./holdfast-csi_*.deb &&
    with_journal csi-lvm systemctl is-active csi-lvm
}

all_drivers_serve() {
  cp /usr/share/doc/holdfast-csi/examples/csi-node.json /etc/holdfast &&
    systemctl start csi-node &&
    with_journal csi-node within 30 has_two_sockets &&
    [[ $(systemctl is-active csi-lvm) == inactive ]]
}
has_two_sockets() { [[ $(find /var/lib/kubelet -name csi.sock | wc -l) == 2 ]]; }

# The gateways of the example do not run: what is asked for is that nothing leaves in clear.
vpc_is_closed() {
  cp /usr/share/doc/holdfast-gateway/examples/site.yaml /etc/egw/gateways &&
    systemctl start egw-helper &&
    with_journal egw-helper within 30 vpc_is_unreachable &&
    with_journal egw-helper within 30 test -s /var/lib/egw/helper.json &&
    [[ $(systemctl is-active egw-core egw-access | sort -u) == inactive ]]
}
vpc_is_unreachable() { [[ $(ip -4 route show proto 157) == *"unreachable 172.16.0.0/12"* ]]; }

# As at a boot: by what is stored, with no file to tell it and no daemon.
vpc_is_closed_at_boot() {
  systemctl stop egw-helper &&
    ip -4 route flush proto 157 &&
    fails vpc_is_unreachable &&
    systemctl start egw-helper-boot &&
    with_journal egw-helper-boot vpc_is_unreachable &&
    systemctl start egw-helper
}

restarts_when_killed() {
  local unit pid
  for unit in flanneld csi-node node-resource-manager egw-helper; do
    pid=$(systemctl show -P MainPID "$unit") &&
      kill -KILL "$pid" &&
      with_journal "$unit" within 30 runs_anew "$unit" "$pid" || return 1
  done
}
runs_anew() { [[ $(systemctl is-active "$1") == active && $(systemctl show -P MainPID "$1") != "$2" ]]; }

removal_keeps_what_pods_need() {
  dpkg --remove "${packages[@]}" &&
    grep -q "flannel's own" /opt/cni/bin/flannel &&
    [[ ! -e /opt/cni/bin/flannel.upstream ]] &&
    has_overlay_route &&
    pod_reaches_node &&
    has_group &&
    vpc_is_unreachable &&
    [[ -s /var/lib/cni/flannel-state/overlay.json ]]
}

comes_back_as_it_was() {
  dpkg --install ./*.deb &&
    [[ $(systemctl is-active flanneld node-resource-manager csi-node egw-helper | sort -u) == active ]] &&
    systemctl disable flanneld &&
    dpkg --install ./holdfast-node_*.deb &&
    [[ $(systemctl is-enabled flanneld) == disabled ]]
}

# What an operator, kubelet and LVM wrote stays.
purge_leaves_nothing() {
  cni DEL &&
    dpkg --purge "${packages[@]}" &&
    all_files >/test/after &&
    comm -13 /test/before /test/after | fails grep -vE '^/(etc/(kube-flannel|holdfast|lvm|egw)|var/lib/kubelet)(/|$)'
}

plan 15
check "the plugin installs where node.sh or the DaemonSet was before, and what was there before those comes back" installs_over_ours
check "the packages install beside flannel's own plugin, which steps aside" installs
check "nothing starts before it is configured" idle_without_configuration
check "flanneld brings up the overlay, hardened as its unit says" overlay_comes_up
check "a pod gets its address" pod_starts
check "blank disks become the volume group of a file" group_from_disks
check "csi-lvm serves its socket" one_driver_serves
check "csi-lvm, configured alone, comes at a boot and stays in an upgrade" one_driver_stays
check "csi-node serves all drivers of its file, in csi-lvm's place" all_drivers_serve
check "egw-helper closes the ranges of a pool whose gateways are dead" vpc_is_closed
check "at a boot they are closed by what is stored, before the daemon runs" vpc_is_closed_at_boot
check "whoever is killed is started anew" restarts_when_killed
check "removal brings flannel's plugin back, and leaves overlay, closed ranges and volumes" removal_keeps_what_pods_need
check "installed again all runs, and what an operator disabled stays so" comes_back_as_it_was
check "a purge leaves nothing but what others wrote" purge_leaves_nothing
