#!/bin/bash
# flanneld as it is shipped, on a node of a thousand: it takes a fraction of the 50 MiB at which upstream's manifest ends it, and no more
# when peers come and go. In namespaces of its own.
source "$(dirname "$0")/../tap.sh"

tree=$(cd "$(dirname "$0")/../.." && pwd)
if [[ ${HOLDFAST_MANY_INSIDE-} != yes ]]; then
  HOLDFAST_MANY_INSIDE=yes exec unshare --net --mount --pid --fork --kill-child=KILL --mount-proc bash "$0" "$@"
fi

nodes=1000
most_kib=$((8 * 1024)) # of its own (RssAnon): what is mapped from files it shares with other programs
work=/run/many

boot() {
  mount --make-rprivate / && mount -t tmpfs -o mode=755 run /run && mkdir -p $work/nodes && ip link set lo up &&
    ip link add eth0 type veth peer name lan0 && ip link set lan0 up && ip link set eth0 up &&
    ip address add 192.168.0.1/16 dev eth0 && ip route add default via 192.168.255.254 &&
    echo '{"Network": "10.240.0.0/12", "Backend": {"Type": "vxlan"}}' >$work/net-conf.json
}

# document N: of one node.
document() {
  printf 'apiVersion: net.holdfast.dev/v1alpha1\nkind: NodeNetworkConfiguration\nmetadata: {name: node%d}\n' "$1"
  printf 'spec: {flannel: {publicIP: 192.168.%d.%d, podCidr: 10.%d.%d.0/24}}\n' \
    $(($1 / 250)) $(($1 % 250 + 1)) $((240 + $1 / 250)) $(($1 % 250))
}

publish() {
  local n
  for ((n = $1; n < $2; n++)); do document "$n" >$work/nodes/node$n.yaml; done
}

starts() {
  "$tree/build/bin/flanneld" --source=dir --config-dir=$work/nodes --node-name=node0 --net-config-path=$work/net-conf.json \
    --subnet-file=$work/subnet.env --state-dir=$work/state --no-masq-dir=$work/no-masq.d --network-drop-ins=false --run-dir=$work \
    --peer-removal-delay=0 --healthz-ip=127.0.0.1 --healthz-port=8081 2>$work/log &
  daemon=$!
}

has_peers() { [[ $(ip route show dev flannel.1 proto 102 2>/dev/null | wc -l) -eq $1 ]]; }

is_small() {
  local kib
  kib=$(sed -n 's/^RssAnon:[^0-9]*\([0-9]*\).*/\1/p' /proc/$daemon/status)
  echo "# $1: $kib KiB" | tee -a $work/figures
  ((kib > 0 && kib <= most_kib))
}

# A fifth of them goes, and comes again. While the machine is busy the folder is read less often, and wholly each minute.
come_and_go() {
  rm $work/nodes/node{800..999}.yaml && within 90 has_peers 799 && publish 800 "$nodes" && within 90 has_peers $((nodes - 1))
}

plan 4
check "a node is there, and documents of $nodes" eval 'boot && publish 0 "$nodes"'
starts
check "all peers are programmed" within 90 has_peers $((nodes - 1))
check "it is small" is_small "$nodes nodes"
check "and as small when peers have come and gone" eval 'come_and_go && come_and_go && come_and_go && is_small "after 600 that went and came"'
cat $work/figures
kill "$daemon"
