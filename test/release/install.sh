#!/bin/bash
# A node that runs flannel is taken over with pods running, given back, emptied, and joined to another cluster: scripts/node.sh,
# in namespaces of its own, where flannel's own plugin is one that does what that does with Debian's bridge and host-local.
source "$(dirname "$0")/../tap.sh"

tree=$(cd "$(dirname "$0")/../.." && pwd)
bin=$tree/build/bin
node() { bash "$tree/scripts/node.sh" "$@"; }

if [[ ${HOLDFAST_NODE_INSIDE-} != yes ]]; then
  HOLDFAST_NODE_INSIDE=yes exec unshare --net --mount --pid --fork --kill-child=KILL --mount-proc bash "$0" "$@"
fi

# A machine's folders and its link, all of them this test's own.
boot() {
  mount --make-rprivate /
  mount -t tmpfs -o mode=755 run /run
  mount -t tmpfs -o mode=755 lib /var/lib
  mount -t tmpfs -o mode=755 opt /opt
  mkdir -p /run/netns /run/etc/{upper,work}
  mount -t overlay -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work etc /etc
  rm -rf /etc/cni
  ip link set lo up
  ip link add eth0 type veth peer name lan0
  ip link set lan0 addrgenmode none up
  ip link set eth0 addrgenmode none up
  ip address add 192.168.77.1/24 dev eth0
  ip route add default via 192.168.77.254
  make_iptables_chains
}

# iptables makes its own chains once they are used, and they stay.
make_iptables_chains() {
  local program each
  for program in iptables ip6tables; do
    for each in "nat POSTROUTING" "filter FORWARD" "filter INPUT" "raw PREROUTING"; do
      "$program" -w -t "${each% *}" -A "${each#* }" -j RETURN
      "$program" -w -t "${each% *}" -D "${each#* }" -j RETURN
    done
  done
}

# What upstream's manifest leaves on a node.
install_flannel() {
  mkdir -p /opt/cni/bin /etc/cni/net.d
  cp /usr/lib/cni/{bridge,host-local,portmap,loopback} /opt/cni/bin/
  cat >/opt/cni/bin/flannel <<'END'
#!/usr/bin/python3
import json, os, pathlib, subprocess, sys
saved = pathlib.Path("/var/lib/cni/flannel") / os.environ.get("CNI_CONTAINERID", "")
if os.environ.get("CNI_COMMAND") == "ADD":
    lease = dict(line.split("=") for line in open("/run/flannel/subnet.env").read().split())
    told = json.load(sys.stdin)
    saved.parent.mkdir(parents=True, exist_ok=True)
    saved.write_text(json.dumps({
        "cniVersion": told["cniVersion"], "name": told["name"], "type": "bridge", "mtu": int(lease["FLANNEL_MTU"]),
        "isGateway": True, "ipMasq": False, **told["delegate"],
        "ipam": {"type": "host-local", "ranges": [[{"subnet": lease["FLANNEL_SUBNET"].replace(".1/", ".0/")}]],
                 "routes": [{"dst": lease["FLANNEL_NETWORK"]}]}}))
elif not saved.is_file():
    sys.exit(0)
done = subprocess.run(["/opt/cni/bin/bridge"], input=saved.read_text(), text=True)
if os.environ["CNI_COMMAND"] == "DEL" and done.returncode == 0:
    saved.unlink()
sys.exit(done.returncode)
END
  chmod +x /opt/cni/bin/flannel
  cat >/etc/cni/net.d/10-flannel.conflist <<'END'
{"name": "cbr0", "cniVersion": "1.0.0",
 "plugins": [{"type": "flannel", "delegate": {"hairpinMode": true, "isDefaultGateway": true}}]}
END
}

# Rules of flannel before version 0.20, by both kinds of iptables, in the first cluster's network.
leave_old_rules() {
  local program
  for program in iptables iptables-legacy; do
    "$program" -w -t nat -A POSTROUTING -s 10.244.0.0/16 ! -d 224.0.0.0/4 -m comment --comment "flanneld masq" -j MASQUERADE &&
      "$program" -w -A FORWARD -s 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT || return 1
  done
}

# start_flanneld CLUSTER: a cluster is the third number of its network, and a lease of its first node in it.
start_flanneld() {
  local folder=/run/cluster-$1
  mkdir -p "$folder/nodes"
  echo "{\"Network\": \"10.$1.0.0/16\", \"Backend\": {\"Type\": \"vxlan\"}}" >"$folder/net-conf.json"
  cat >"$folder/nodes/edge-1.json" <<END
{"apiVersion": "net.holdfast.dev/v1alpha1", "kind": "NodeNetworkConfiguration", "metadata": {"name": "edge-1"},
 "spec": {"flannel": {"publicIP": "192.168.77.1", "podCIDRs": ["10.$1.1.0/24"]}}}
END
  "$bin/flanneld" --source=dir "--config-dir=$folder/nodes" "--net-config-path=$folder/net-conf.json" --node-name=edge-1 \
    --iface=eth0 --ip-masq --healthz-ip=127.0.0.1 --healthz-port=8081 >>"$log" 2>&1 &
  echo $! >/run/cluster-flanneld
  within 30 eval 'busybox wget -q -O /dev/null http://127.0.0.1:8081/readyz 2>/dev/null'
}

# Each check is a process of its own, so what it starts is known by a file; below /run/cluster-*, which is no part of a picture.
end() {
  kill "-$1" "$(cat "/run/cluster-$2")" && within 10 eval '! kill -0 "$(cat "/run/cluster-'"$2"'")" 2>/dev/null'
}
stop_flanneld() { end KILL flanneld; }

# cni VERB POD: as a runtime calls what is at /opt/cni/bin/flannel.
cni() {
  env CNI_COMMAND="$1" CNI_CONTAINERID="$2" CNI_NETNS="/run/netns/$2" CNI_IFNAME=eth0 CNI_PATH=/opt/cni/bin \
    CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=$2;K8S_POD_UID=$2" /opt/cni/bin/flannel \
    <<<'{"cniVersion": "1.0.0", "name": "cbr0", "type": "flannel", "delegate": {"hairpinMode": true, "isDefaultGateway": true}}'
}
add_pod() {
  local said
  ip netns add "$1" && ip netns exec "$1" ip link set lo up
  said=$(cni ADD "$1") || { echo "$said"; return 1; }
}
remove_pod() { cni DEL "$1" && ip netns delete "$1"; }
address() { ip -n "$1" -4 -o address show dev eth0 | grep -oE '[0-9.]+/' | tr -d /; }
reaches() { ip netns exec "$1" ping -q -c 1 -W 2 "$(address "$2")" >/dev/null; }

# All that a node has of a network. Files without what they hold: the folder and its names.
picture() {
  local save
  ip -o link show | sed 's/^[0-9]*: //; s/@.*//; s/:.*//' | sort
  ip rule; ip -6 rule
  ip route show table all | sort; ip -6 route show table all | sort
  nft --stateless list ruleset 2>/dev/null
  for save in iptables-save ip6tables-save iptables-legacy-save; do "$save" 2>/dev/null | grep -E '^-A' || true; done
  find /run /var/lib /opt /etc/cni -path /run/etc -prune -o -path "/run/cluster-*" -prune -o -print 2>/dev/null | grep -v xtables.lock | sort
}

no_flannel_here() {
  local said status=0
  said=$(node take "$bin/flannel" 2>&1) || status=$?
  echo "$said"
  [[ $status -eq 1 && $said == *"there is no /opt/cni/bin/flannel"* && $said == *"subnet.env is not there"* && ! -e /opt/cni ]]
}

other_network() {
  local status=0 said
  echo '{"plugins": [{"type": "calico"}]}' >/etc/cni/net.d/05-other.conflist
  said=$(node take "$bin/flannel" 2>&1) || status=$?
  rm /etc/cni/net.d/05-other.conflist
  [[ $status -eq 1 && $said == *"05-other.conflist, which does not name flannel"* ]]
}

# An address of a link that has just come up gets its route when nobody else was found to have it.
addresses_are_known() { [[ -z $(ip -6 address show tentative) ]]; }

dry_run() {
  local before said
  within 30 addresses_are_known || return 1
  before=$(picture; sha256sum /opt/cni/bin/*)
  said=$(node --dry-run take "$bin/flannel")
  echo "$said"
  [[ $said == *"would keep flannel's own plugin"* && $said == *"would put $bin/flannel"* ]] &&
    diff <(echo "$before") <(picture; sha256sum /opt/cni/bin/*)
}

# start_upstream NETWORK ARGUMENT...: a process of the name and the arguments of upstream's daemon. yes(1) stops where nobody reads.
start_upstream() {
  local folder=/run/cluster-upstream
  mkdir -p "$folder"
  cp "$(command -v busybox)" "$folder/flanneld"
  echo "{\"Network\": \"10.244.0.0/16\", \"Backend\": $1}" >"$folder/net-conf.json"
  [[ -p $folder/nobody ]] || mkfifo "$folder/nobody"
  (exec -a yes "$folder/flanneld" "${@:2}" "--net-config-path=$folder/net-conf.json" <>"$folder/nobody" 1>&0) &
  echo $! >/run/cluster-yes
  within 10 eval '[[ $(readlink "/proc/$!/exe") == */flanneld ]]'
}
end_upstream() { kill -KILL "$(cat /run/cluster-yes)"; }

# lost_flags PART...: the take-over is refused, and what is said has all the parts.
lost_flags() {
  local said status=0 part
  said=$(node take "$bin/flannel" 2>&1) || status=$?
  end_upstream
  echo "$said"
  [[ $status -eq 1 && ! -e /opt/cni/bin/flannel.upstream ]] || return 1
  for part in "$@"; do [[ $said == *"$part"* ]] || { echo "not told: $part"; return 1; }; done
}

flags_are_kept() {
  local said status=0 folder=/run/cluster-upstream
  local -a arguments=(--ip-masq --kube-subnet-mgr=1 -iface lan0 --iface=eth0 -v 4 --iptables-resync=7)
  FLANNELD_PUBLIC_IP=192.0.2.7 FLANNELD_IFACE=other start_upstream '{"Type": "vxlan"}' "${arguments[@]}" || return 1
  lost_flags "--iface=lan0 eth0, and ours would have --iface=:" "--iptables-resync=7" "--public-ip=192.0.2.7" \
    "--net-config-path=$folder/net-conf.json" || return 1
  FLANNELD_PUBLIC_IP=192.0.2.7 start_upstream '{"Type": "vxlan"}' "${arguments[@]}" || return 1
  said=$(node --dry-run take "$bin/flannel" --iface=lan0 --iface=eth0 --iptables-resync=7 --public-ip=192.0.2.7 \
    "--net-config-path=$folder/net-conf.json" 2>&1) || status=$?
  end_upstream
  echo "$said"
  [[ $status -eq 0 && $said == *"would put $bin/flannel"* ]]
}

other_kinds_of_flannel() {
  start_upstream '{"type" : "host-gw"}' --kube-subnet-mgr && lost_flags "the backend 'host-gw'" "--ip-masq=false, and ours would have --ip-masq=true" &&
    start_upstream '{"Type": "vxlan"}' --ip-masq --etcd-endpoints=http://192.0.2.1:2379 && lost_flags "leases in etcd"
}

start_pings() {
  ip netns exec a ping -n -i 0.02 "$(address b)" >/run/cluster-pings.log 2>&1 &
  echo $! >/run/cluster-pings
  within 10 grep -q 'icmp_seq=3 ' /run/cluster-pings.log
}

no_ping_lost() {
  end INT pings || return 1
  tail -n 2 /run/cluster-pings.log
  grep -q ', 0% packet loss' /run/cluster-pings.log
}

take_twice() {
  node take "$bin/flannel" && [[ $(/opt/cni/bin/flannel </dev/null 2>&1) == *Holdfast* ]] &&
    node take "$bin/flannel" && grep -q python3 /opt/cni/bin/flannel.upstream
}

ours_goes_on() { add_pod c && reaches a c && [[ $(address c) != "$(address a)" && $(address c) != "$(address b)" ]]; }

# All programs but nft, which flanneld does not need for its tables.
without_nft() {
  local said status=0 programs=/run/cluster-programs
  mkdir -p "$programs"
  ln -sf /usr/bin/* /usr/sbin/* "$programs"
  rm "$programs/nft"
  said=$(PATH=$programs node back 2>&1) || status=$?
  echo "$said"
  [[ $status -eq 1 && $said == *"install nftables"* && -e /opt/cni/bin/flannel.upstream ]] &&
    PATH=$programs node --dry-run --without-nft back
}

is_back() { node back && grep -q python3 /opt/cni/bin/flannel && [[ ! -e /opt/cni/bin/flannel.upstream ]]; }

upstream_goes_on() { reaches a c && remove_pod c && add_pod d && reaches a d && remove_pod d; }

# A gateway's helper has routes, rules and a memory, too.
run_helper() {
  mkdir -p /run/cluster-244/gateways
  cat >/run/cluster-244/gateways/site.json <<'END'
{"apiVersion": "net.holdfast.dev/v1alpha1", "kind": "EdgeGateway", "metadata": {"name": "site"},
 "spec": {"podCIDRs": ["10.244.0.0/16"], "vpcCIDRs": ["172.16.0.0/16"],
          "gateways": [{"name": "a", "node": "edge-1", "podAddresses": ["10.244.1.9"], "priority": 200, "tunnel": 0}],
          "nodes": [{"name": "edge-1", "podCIDRs": ["10.244.1.0/24"], "addresses": ["192.168.77.1"]}]}}
END
  echo '1 0011223344556677' >/run/cluster-244/liveness
  chmod 600 /run/cluster-244/liveness
  "$bin/egw-helper" --pool=site --node-name=edge-1 --source=dir --config-dir=/run/cluster-244/gateways \
    --bfd-keys=/run/cluster-244/liveness >>"$log" 2>&1 &
  echo $! >/run/cluster-helper
  within 30 eval 'ip route show proto 157 | grep -q 172.16 && nft list tables | grep -q egw-ipv4'
}

remove_is_refused() {
  local said status=0
  said=$(node remove 2>&1) || status=$?
  echo "$said"
  [[ $status -eq 1 && $said == *"flanneld runs (process $(cat /run/cluster-flanneld))"* && $said == *"2 pods are connected to cni0"* ]] && reaches a b
}

empty_the_node() {
  remove_pod a && remove_pod b && stop_flanneld && end KILL helper && leave_old_rules
}

# What flannel's manifest left is flannel's, and stays: it was there before.
nothing_is_left() { node remove && diff /run/cluster-installed <(picture; sha256sum /opt/cni/bin/*); }

# Containers of another network, and of another plugin that flannel's was called for, have their addresses.
others_addresses_stay() {
  local file
  mkdir -p /var/lib/cni/{networks,flannel}
  for file in /var/lib/cni/{networks/podman/10.88.0.2,networks/shop/10.244.1.7,networks/cbr0/10.244.1.6,flannel/ours}; do
    mkdir -p "${file%/*}"
    echo '{"name": "cbr0"}' >"$file"
  done
  echo '{"cniVersion":"1.0.0","name":"podman"}' >/var/lib/cni/flannel/others
  mkdir -p /var/lib/cni/flannel-state
  touch /var/lib/cni/flannel-state/shop.bindings
  node remove || return
  file=$(find /var/lib/cni -type f | sort | paste -sd ' ')
  echo "there is $file"
  rm -rf /var/lib/cni
  [[ $file == "/var/lib/cni/flannel/others /var/lib/cni/networks/podman/10.88.0.2" ]]
}

# Its file was exchanged by an upgrade since it began.
old_programs_are_seen() {
  local said status=0 each
  local -a ids=()
  for each in flanneld egw-core egw-access; do
    cp /bin/sleep "/run/$each"
    "/run/$each" 600 &
    ids+=("$!")
    within 10 eval '[[ $(readlink "/proc/$!/exe") == "/run/$each" ]]' || return
    rm "/run/$each"
  done
  said=$(node remove 2>&1) || status=$?
  kill "${ids[@]}"
  echo "$said"
  [[ $status -eq 1 && $said == *"flanneld runs (process ${ids[0]})"* && $said == *"egw-core runs (process ${ids[1]})"* &&
    $said == *"egw-access runs (process ${ids[2]})"* ]]
}

# Wherever kubelet is told to keep its pods.
volumes_are_seen() {
  local said status=0 folder=/run/k0s/kubelet/pods/uid/volumes/kubernetes.io~csi/pvc-1/mount
  mkdir -p "$folder"
  mount -t tmpfs volume "$folder"
  said=$(node remove 2>&1) || status=$?
  umount "$folder"
  rm -rf /run/k0s
  echo "$said"
  [[ $status -eq 1 && $said == *"1 volumes of CSI drivers are mounted"* ]]
}

# The DaemonSet's first container, with this node's folders where its mounts of them are.
first_container() {
  local script
  script=$(/usr/bin/python3 -c '
import sys, yaml
workload = next(each for each in yaml.safe_load_all(open(sys.argv[1])) if each["kind"] == "DaemonSet")
print(workload["spec"]["template"]["spec"]["initContainers"][0]["args"][0])' "$tree/manifests/base/flannel/daemonset.yaml") || return
  script=$(sed "s#/opt/cni/bin/flannel#$bin/flannel#; s#/host/bin#/opt/cni/bin#g; s#/host/net.d#/etc/cni/net.d#g; s#/etc/kube-flannel#/run#" <<<"$script")
  sh -ec "$script"
}

# Without the folders that every node has.
bare() { grep -vxE '/(opt|etc)/cni(/bin|/net\.d)?'; }

never_had_flannel() {
  rm -rf /opt/cni /etc/cni
  mkdir -p /opt/cni/bin /etc/cni/net.d
  echo '{"name": "cbr0", "cniVersion": "1.0.0", "plugins": [{"type": "flannel"}]}' >/run/cni-conf.json
  first_container && first_container && [[ -e /etc/cni/net.d/10-flannel.conflist && ! -e /opt/cni/bin/flannel.upstream ]] || return
  start_flanneld 244 && add_pod a && remove_pod a && stop_flanneld || return
  # As it was left by one that kept ours.
  cp /opt/cni/bin/flannel /opt/cni/bin/flannel.upstream
  node remove && rm /run/cni-conf.json && diff <(bare <<<"$fresh") <(picture | bare) && rm -rf /opt/cni
}

# As edgectl does: processes, links, routes and /var/lib/cni are gone, rules and /run are not; and a flannel was there before.
clear_as_edgectl() {
  stop_flanneld
  ip netns delete a
  ip link delete flannel.1
  ip link delete cni0
  rm -rf /var/lib/cni /etc/cni
  leave_old_rules
}

joins_another() {
  install_flannel
  start_flanneld 99 && node take "$bin/flannel" && add_pod a && [[ $(address a) == 10.99.1.* ]]
}

no_trace_of_the_first() {
  local found
  found=$(ip route show table all; ip rule; nft list ruleset; iptables-save; iptables-legacy-save; cat /run/flannel/subnet.env)
  grep '10\.244\.' <<<"$found"
  ! grep -q '10\.244\.' <<<"$found"
}

log=${1:-/dev/null}/programs.log
[[ -n ${1-} ]] || log=/dev/null
[[ -z ${1-} ]] || mkdir -p "$1"
boot
fresh=$(picture)

plan 25
check "a node without flannel is refused, with the reasons" no_flannel_here
check "flannel is installed, and has a lease" eval 'install_flannel && { picture; sha256sum /opt/cni/bin/*; } >/run/cluster-installed && start_flanneld 244'
check "a node whose pods another network connects is refused" other_network
check "a flag of flannel's that ours would not have is refused, and named; told again it is taken over" flags_are_kept
check "a flannel with another backend, or with its leases in etcd, is refused" other_kinds_of_flannel
check "two pods run" eval 'add_pod a && add_pod b && reaches a b && start_pings'
check "a dry run tells what it would do, and does nothing" dry_run
check "the node is taken over, and a second time" take_twice
check "a pod of ours reaches one of flannel's" ours_goes_on
check "without nft, whose work would be left undone, it is not given back" without_nft
check "the node is given back" is_back
check "flannel goes on, and takes away what ours made" upstream_goes_on
check "no ping between the first two was lost" no_ping_lost
check "it is taken over once more, with a gateway's helper" eval 'node take "$bin/flannel" && run_helper'
check "removal is refused while programs and pods run, with the reasons" remove_is_refused
check "the node is emptied" empty_the_node
check "removal leaves nothing but flannel's own plugin and list" nothing_is_left
check "removal from an empty node is done" node remove
check "other networks keep the addresses that their containers have" others_addresses_stay
check "programs that run are seen, also when their files were exchanged" old_programs_are_seen
check "volumes are seen, wherever kubelet keeps its pods" volumes_are_seen
check "a node that never had flannel keeps no plugin for flannel's, and removal leaves none" never_had_flannel
check "a node of one cluster is cleared as edgectl does" eval \
  'install_flannel && start_flanneld 244 && node take "$bin/flannel" && add_pod a && clear_as_edgectl'
check "it joins another cluster" joins_another
check "nothing on it is of the first one" no_trace_of_the_first
