# shellcheck shell=bash
# A guest as a node with pods, our plugin called as a runtime calls it. Sourced by scripts of guest/.
tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
results=/run/pod-results # POD: what the last plugin of its list answered
debian=/usr/lib/cni

# start_node MODULE...: with these kernel modules beside those that every pod needs.
start_node() {
  modprobe -a bridge veth "$@" && mkdir -p /run/flannel /run/netns "$results" &&
    printf '%s\n' FLANNEL_NETWORK=10.244.0.0/16 FLANNEL_SUBNET=10.244.3.1/24 FLANNEL_MTU=1450 FLANNEL_IPMASQ=true \
      >/run/flannel/subnet.env
}

# call_plugin VERB POD TYPE MEMBERS: MEMBERS are those of its configuration beside name, version, type, prevResult.
call_plugin() {
  local folder=$debian previous=
  [[ $3 != flannel ]] || folder=$tree/build/bin
  [[ ! -s $results/$2 ]] || previous=",\"prevResult\":$(<"$results/$2")"
  CNI_COMMAND=$1 CNI_CONTAINERID=$2 CNI_NETNS=/run/netns/$2 CNI_IFNAME=eth0 CNI_PATH=$tree/build/bin:$debian \
    CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=$2;K8S_POD_UID=uid-$2" \
    "$folder/$3" <<<"{\"cniVersion\":\"1.0.0\",\"name\":\"cbr0\",\"type\":\"$3\"${4:+,$4}$previous}"
}

# add POD TYPE MEMBERS: one plugin of the list; the namespace is made for the first.
add() {
  local answer
  [[ -e /run/netns/$1 ]] || ip netns add "$1" || return
  answer=$(call_plugin ADD "$@") || { echo "$answer"; return 1; }
  echo "$answer" >"$results/$1"
}

# del POD TYPE MEMBERS
del() { call_plugin DEL "$@"; }

# check_pod POD TYPE MEMBERS: succeeds when CHECK says nothing is amiss; prints what it says.
check_pod() { call_plugin CHECK "$@"; }

forget() { rm -f "$results/$1"; }

# member POD NAME: the first such text in the pod's result.
address_of() { [[ $(<"$results/$1") =~ \"address\":\ *\"([0-9.]+) ]] && echo "${BASH_REMATCH[1]}"; }
host_link_of() { [[ $(<"$results/$1") =~ (veth[0-9a-f]+) ]] && echo "${BASH_REMATCH[1]}"; }

# reaches POD ADDRESS
reaches() { ip netns exec "$1" ping -c 1 -W 2 "$2"; }
