#!/bin/bash
# Runs in a guest (lab.sh): a node with our flanneld and CNI plugin, its state on the disk /dev/ubda if it has one.
#
#   overlay_node.sh boot N           network and disk of node N; once after each start
#   overlay_node.sh publish N        the file that tells of node N, in the folder that flanneld watches
#   overlay_node.sh daemon N         starts flanneld; does not wait
#   overlay_node.sh ready            waits until it is ready
#   overlay_node.sh first N ADDRESS  starts flanneld; prints the ms until ADDRESS answers a ping
#   overlay_node.sh forget           kills flanneld and takes from the kernel and /run what it left there
#   overlay_node.sh page PATH        GET on flanneld's port
#   overlay_node.sh picture          all of the overlay that somebody could change
set -euo pipefail

tree=$(cd "$(dirname "$0")/../.." && pwd)
documents=/run/nodes

boot() {
  modprobe -a vxlan bridge veth iptable_filter iptable_nat xt_MASQUERADE xt_comment xt_mark
  mkdir -p /var/lib/cni /run/netns /etc/kube-flannel
  [[ ! -b /dev/ubda ]] || mount /dev/ubda /var/lib/cni
  echo '{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}}' >/etc/kube-flannel/net-conf.json
  echo 1 >/proc/sys/net/ipv4/ip_forward
  ip address add "192.0.2.$1/24" dev vec0
  ip link set vec0 up
  ip route add default via 192.0.2.254
}

publish() {
  mkdir -p "$documents"
  cat >"$documents/.new" <<END
apiVersion: net.holdfast.dev/v1alpha1
kind: NodeNetworkConfiguration
metadata: {name: node$1}
spec: {flannel: {publicIP: 192.0.2.$1, podCidr: 10.244.$1.0/24}}
END
  mv "$documents/.new" "$documents/node$1.yaml"
}

daemon() {
  "$tree/build/bin/flanneld" --source=dir --config-dir="$documents" --node-name="node$1" --ip-masq \
    --healthz-ip=127.0.0.1 --healthz-port=8081 >/out/log 2>&1 </dev/null &
}

page() {
  exec 3<>/dev/tcp/127.0.0.1/8081
  printf 'GET %s HTTP/1.0\r\n\r\n' "$1" >&3
  cat <&3
}

ready() {
  local i
  for ((i = 0; i < 200; i++)); do
    [[ $(page /readyz 2>/dev/null) != *" 200 OK"* ]] || return 0
    sleep 0.05
  done
  page '/readyz?verbose'
  return 1
}

first() {
  local began=${EPOCHREALTIME/./}
  daemon "$1"
  # one program that asks until it is answered, because programs start slowly here
  until ping -c 1 -w 5 -i 0.02 -q "$2" >/dev/null 2>&1; do
    ((${EPOCHREALTIME/./} - began < 20000000)) || return 1
  done
  echo $(((${EPOCHREALTIME/./} - began) / 1000))
}

forget() {
  local process
  for process in /proc/[0-9]*; do
    [[ $(cat "$process/comm" 2>/dev/null) != flanneld ]] || kill -KILL "${process#/proc/}"
  done
  ip link delete flannel.1
  rm -rf /run/flannel
}

picture() {
  ip -o link show flannel.1
  ip route show dev flannel.1
  ip neighbour show dev flannel.1 nud permanent
  bridge fdb show dev flannel.1
}

"$@"
