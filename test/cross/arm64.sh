#!/bin/bash
# The programs for arm64 on a machine that is none: qemu's user mode runs them, in the Debian where they were built. Links,
# addresses, routes and namespaces are this kernel's. What qemu does not hand on are netfilter's messages and those of neighbours and
# FDB entries, and the question what kind a namespace is, for which the plugin has another way: no guard of peers here, and no peer.
source "$(dirname "$0")/../tap.sh"
source "$(dirname "$0")/inside/answers.sh"

bin=$(cd "$(dirname "$0")/../.." && pwd)/build/arm64/bin
mapfile -t programs < <(ls "$bin")

# arm PROGRAM ARGUMENT...
arm() { qemu-aarch64-static "$bin/$1" "${@:2}"; }

# A machine's folders and its link, all of them this test's own.
boot() {
  mount -t tmpfs -o mode=755 run /run
  mkdir -p /run/netns /run/nodes /var/lib/cni
  mount -t tmpfs -o mode=755 lib /var/lib/cni
  ip link set lo up
  ip link add eth0 type veth peer name lan0
  ip link set lan0 up
  ip link set eth0 up
  ip address add 192.168.77.1/24 dev eth0
  ip route add default via 192.168.77.254
}

are_of_arm64() {
  local program
  [[ ${#programs[@]} -ge 19 ]] || { echo "there are only: ${programs[*]}"; return 1; }
  for program in "${programs[@]}"; do
    aarch64-linux-gnu-readelf --file-header "$bin/$program" | grep -q 'Machine: *AArch64' || { echo "$program"; return 1; }
  done
}

plugin_is_static() { ! aarch64-linux-gnu-readelf --program-headers --dynamic "$bin/flannel" | grep -E 'INTERP|NEEDED'; }

tell_what_they_are() {
  local program
  for program in "${programs[@]}"; do
    answers qemu-aarch64-static "$bin/$program" || return 1
  done
}

# cni VERB POD: as a runtime calls the plugin.
cni() {
  env CNI_COMMAND="$1" CNI_CONTAINERID="$2" CNI_NETNS="/run/netns/$2" CNI_IFNAME=eth0 CNI_PATH="$bin" \
    CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=$2;K8S_POD_UID=$2" qemu-aarch64-static "$bin/flannel" \
    <<<'{"cniVersion": "1.0.0", "name": "cbr0", "type": "flannel", "delegate": {"hairpinMode": true, "isDefaultGateway": true}}'
}

answers_version() { cni VERSION none | grep -q '"1\.1\.0"'; }

# What flanneld says of itself.
page() {
  exec 3<>/dev/tcp/127.0.0.1/8081 && printf 'GET %s HTTP/1.0\r\n\r\n' "$1" >&3 && cat <&3
}
has_all_but_peers() {
  local said each
  said=$(page '/readyz?verbose' 2>/dev/null)
  for each in DeviceRight LeaseKnown RulesInPlace SourceReachable StateStored SubnetFileWritten; do
    [[ $said == *"[+]$each ok"* ]] || return 1
  done
}

overlay_comes_up() {
  echo '{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}}' >/run/net-conf.json
  cat >/run/nodes/edge-1.json <<'END'
{"apiVersion": "net.holdfast.dev/v1alpha1", "kind": "NodeNetworkConfiguration", "metadata": {"name": "edge-1"},
 "spec": {"flannel": {"publicIP": "192.168.77.1", "podCIDRs": ["10.244.1.0/24"]}}}
END
  arm flanneld --source=dir --config-dir=/run/nodes --net-config-path=/run/net-conf.json --node-name=edge-1 --iface=eth0 --ip-masq \
    --accept-unknown-peers --healthz-ip=127.0.0.1 --healthz-port=8081 >/run/flanneld.log 2>&1 &
  within 60 has_all_but_peers || { tail -n 20 /run/flanneld.log; page '/readyz?verbose'; return 1; }
  ip -d link show flannel.1 | grep -q 'vxlan id 1 ' &&
    ip -4 address show dev flannel.1 | grep -qF 10.244.1.0/32 &&
    iptables -w -t nat -S FLANNEL-POSTRTG | grep -q MASQUERADE &&
    grep -qxF FLANNEL_SUBNET=10.244.1.1/24 /run/flannel/subnet.env
}

has_address() { [[ $(ip -n "$1" -4 -o address show dev eth0) == *" 10.244.1."*/24* ]]; }
has_no_interface() { ! ip -n "$1" link show dev eth0 && ! ip -o link show type veth | grep -q 'master cni0'; } 2>/dev/null

pod_comes_and_goes() {
  ip netns add web || return
  cni ADD web >/run/added || { cat /run/added; return 1; }
  has_address web && ip netns exec web ping -q -c 1 -W 10 10.244.1.1 || return
  cni DEL web && has_no_interface web && cni DEL web
}
refuses_another_namespace() {
  touch /run/netns/other && mount --bind /proc/self/ns/uts /run/netns/other || return
  ! cni ADD other >/run/refused && grep -q "is not a network namespace" /run/refused
}

boot
plan 7
check "they are programs of arm64" are_of_arm64
check "the plugin needs no library and no loader of the node" plugin_is_static
check "the plugin answers VERSION" answers_version
check "they tell what they are" tell_what_they_are
check "flanneld makes its device, its rules and subnet.env" overlay_comes_up
check "the plugin adds a pod that reaches its node, and removes it, also when it is gone" pod_comes_and_goes
check "the plugin refuses a namespace of another kind" refuses_another_namespace
