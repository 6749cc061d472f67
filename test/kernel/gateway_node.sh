#!/bin/bash
# Runs in a guest (lab.sh): a node with our egw-helper, its state on the disk /dev/ubda.
#
#   gateway_node.sh boot          network and disk; once after each start
#   gateway_node.sh publish       the file that tells of the node's pool
#   gateway_node.sh helper        starts egw-helper; does not wait
#   gateway_node.sh once          what a host does first when it boots: egw-helper --once; prints the ms that it took
#   gateway_node.sh page PATH     GET on egw-helper's port
#   gateway_node.sh closed        whether the VPC's ranges of both families are unreachable
#   gateway_node.sh leaving       how many packets for the VPC go out by the uplink when a node sends three
set -euo pipefail

tree=$(cd "$(dirname "$0")/../.." && pwd)
documents=/run/gateways
flags=(--pool=hangzhou --node-name=node1 --source=dir "--config-dir=$documents" --healthz=127.0.0.1:9810)

boot() {
  modprobe -a ipv6 iptable_filter iptable_raw ip6table_filter ip6table_raw xt_conntrack xt_CT xt_comment
  echo 1 >/proc/sys/net/ipv6/conf/vec0/disable_ipv6
  mkdir -p /var/lib/egw "$documents"
  mount /dev/ubda /var/lib/egw
  ip address add 192.0.2.1/24 dev vec0
  ip link set vec0 up
  ip neighbour add 192.0.2.254 lladdr 02:aa:00:00:00:fe dev vec0
  ip route add default via 192.0.2.254
}

publish() {
  cat >"$documents/.new" <<END
apiVersion: net.holdfast.dev/v1alpha1
kind: EdgeGateway
metadata: {name: hangzhou}
spec:
  podCIDRs: [10.244.0.0/16, "fd00:244::/48"]
  vpcCIDRs: [172.16.0.0/16, "fd00:172::/48"]
  gateways: [{name: a, node: node9, podAddresses: [10.244.9.7]}]
END
  mv "$documents/.new" "$documents/hangzhou.yaml"
}

helper() { "$tree/build/bin/egw-helper" "${flags[@]}" >>/out/log 2>&1 </dev/null & }

once() {
  local began=${EPOCHREALTIME/./}
  "$tree/build/bin/egw-helper" "${flags[@]}" --once >>/out/log 2>&1
  echo $(((${EPOCHREALTIME/./} - began) / 1000))
}

page() {
  exec 3<>/dev/tcp/127.0.0.1/9810
  printf 'GET %s HTTP/1.0\r\n\r\n' "$1" >&3
  cat <&3
}

closed() {
  ip route show 172.16.0.0/16 | grep -q '^unreachable' && ip -6 route show fd00:172::/48 | grep -q '^unreachable'
}

leaving() {
  local before
  before=$(</sys/class/net/vec0/statistics/tx_packets)
  ping -c 3 -i 0.01 -W 1 -q 172.16.1.5 >/dev/null 2>&1 || true
  echo $(($(</sys/class/net/vec0/statistics/tx_packets) - before))
}

"$@"
