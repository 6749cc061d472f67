#!/bin/bash
# Runs in a guest (lab.sh): a node with our CNI plugin, its state on the disk /dev/ubda.
#
#   plugin_node.sh boot                  mounts the disk as /var/lib/cni, writes subnet.env; once after each start
#   plugin_node.sh add POD NUMBER        a sandbox for a pod; prints its address
#   plugin_node.sh del POD NUMBER        takes it away; its network namespace may be gone
#   plugin_node.sh points VERB POD NUMBER    runs the verb under the tracer; prints the numbers of its changes to files
#   plugin_node.sh halt before|after POINT VERB POD NUMBER    stops in the middle of the verb and says "HALT POINT"
#   plugin_node.sh next_day ROUND        after a start: DEL of sandboxes ROUND and ROUND.cut, ADD of ROUND + 1, as a kubelet
#                                        does it for the pods web and db. Prints what is there in between and at the end: a
#                                        line for each address in use, saved configuration and the number of links
set -euo pipefail

tree=$(cd "$(dirname "$0")/../.." && pwd)
plugin=$tree/build/bin/flannel
tracer=$tree/build/guest/bin/syscall_killer
config='{"cniVersion":"1.0.0","name":"cbr0","type":"flannel","delegate":{"hairpinMode":true,"isDefaultGateway":true}}'

# Programs start slowly in a guest, so the shell does what it can do itself.
shopt -s nullglob

boot() {
  modprobe -a bridge veth
  mkdir -p /var/lib/cni /run/flannel /run/netns
  mount /dev/ubda /var/lib/cni
  printf '%s\n' FLANNEL_NETWORK=10.244.0.0/16 FLANNEL_SUBNET=10.244.3.1/24 FLANNEL_MTU=1450 FLANNEL_IPMASQ=true \
    >/run/flannel/subnet.env
}

# call VERB POD NUMBER [COMMAND...]: the plugin as a runtime calls it, under COMMAND.
call() {
  local verb=$1 pod=$2 id=$2-$3
  shift 3
  [[ $verb != ADD || -e /run/netns/$id ]] || ip netns add "$id"
  CNI_COMMAND=$verb CNI_CONTAINERID=$id CNI_NETNS=/run/netns/$id CNI_IFNAME=eth0 CNI_PATH=${plugin%/*} \
    CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=$pod;K8S_POD_UID=uid-$pod" \
    "$@" "$plugin" <<<"$config"
}

add() {
  local result
  result=$(call ADD "$@")
  [[ $result =~ \"address\":\ *\"([0-9.]+) ]] && echo "${BASH_REMATCH[1]}"
}

del() {
  call DEL "$@"
  [[ ! -e /run/netns/$1-$2 ]] || ip netns delete "$1-$2"
}

points() { call "$@" "$tracer" -- 2>&1 >/dev/null | awk -F '\t' '$3 ~ "/var/lib/cni" { print $1 }'; }

halt() {
  local when=$1 point=$2
  shift 2
  call "$@" "$tracer" "--halt-$when" "$point" --
}

holdings() {
  local file owner
  local -a links=(/sys/class/net/cni0/brif/*)
  for file in /var/lib/cni/networks/cbr0/[0-9]*; do
    owner=
    read -r owner <"$file" || true # torn: empty
    echo "address ${file##*/} ${owner%$'\r'}"
  done
  for file in /var/lib/cni/flannel/*; do
    echo "configuration ${file##*/}"
  done
  echo "links ${#links[@]}"
}

next_day() {
  local next=$(($1 + 1))
  boot
  del web "$1.cut"
  del web "$1"
  del db "$1"
  holdings
  echo "web $(add web "$next")"
  echo "db $(add db "$next")"
  holdings
}

"$@"
