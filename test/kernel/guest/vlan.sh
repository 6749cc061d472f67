#!/bin/bash
# delegate.vlan and vlanTrunk: whose packets reach whom, and what CHECK says. Many machines' kernels lack VLAN filtering.
source "$(dirname "$0")/../../tap.sh"
source "$(dirname "$0")/../pods.sh"

vlan() { echo "\"delegate\":{\"isDefaultGateway\":true,\"vlan\":$1${2:+,$2}}"; }
trunk='"delegate":{"vlanTrunk":[{"minID":100,"maxID":101},{"id":200}]}'

# Two pods in VLAN 100, one in 200, all of one subnet.
three_pods() { add red1 flannel "$(vlan 100)" && add red2 flannel "$(vlan 100)" && add blue flannel "$(vlan 200)"; }

vlans_of() { bridge vlan show dev "$(host_link_of "$1")" | awk '{ for (i = 1; i <= NF; ++i) if ($i ~ /^[0-9]+$/) print $i }' | xargs; }

refused_with() {
  local answer
  answer=$(check_pod "$1" flannel "$2") && return 1
  echo "$answer"
  grep -qF "\"code\":105" <<<"$answer" && grep -qF "$3" <<<"$answer"
}

move() {
  local port
  port=$(host_link_of "$1") && bridge vlan del dev "$port" vid "$2" && bridge vlan add dev "$port" vid "$3" pvid untagged
}

# The pod's own link for one VLAN of the trunk.
tagged_link() {
  ip -n "$1" link add link eth0 name "eth0.$2" type vlan id "$2" && ip -n "$1" link set "eth0.$2" up &&
    ip -n "$1" address flush dev eth0 && ip -n "$1" address add "$3" dev "eth0.$2"
}

only_vlan() { [[ $(vlans_of "$1") == "$2" ]]; }

# Of the pods: the bridge and its gateways stay. The kernel takes links away a moment after DEL has answered.
nothing_left() {
  [[ -z $(find /var/lib/cni/networks/cbr0 -name '10.*') ]] && fails grep -q 'alias cbr0/' <(ip -d link)
}

all_deleted() {
  del red1 flannel "$(vlan 100)" && del red2 flannel "$(vlan 100)" && del blue flannel "$(vlan 200)" &&
    del strict flannel "$(vlan 100)" && del trunk flannel "$trunk" && within 10 nothing_left
}

plan 19
check "the modules load" start_node 8021q
check "pods of two VLANs get addresses of one subnet" three_pods
check "a pod reaches another of its VLAN" reaches red1 "$(address_of red2)"
check "a pod does not reach one of another VLAN" fails reaches red1 "$(address_of blue)"
check "and the other does not reach it" fails reaches blue "$(address_of red1)"
check "a pod reaches the gateway of its VLAN" reaches red1 10.244.3.1
check "which is a link of the bridge for this VLAN" ip -d link show cni0.100
check "CHECK finds nothing amiss" check_pod red1 flannel "$(vlan 100)"
check "a pod is moved to the other VLAN by hand" move red1 100 200
check "it reaches the pod there" reaches red1 "$(address_of blue)"
check "CHECK says so" refused_with red1 "$(vlan 100)" "$(host_link_of red1) is not in VLAN 100"
check "moved back, CHECK finds nothing amiss" eval 'move red1 200 100 && check_pod red1 flannel "$(vlan 100)"'
check "without preserveDefaultVlan a pod is in its VLAN alone" \
  eval 'add strict flannel "$(vlan 100 "\"preserveDefaultVlan\":false")" && only_vlan strict 100'
check "a trunk carries its VLANs" eval 'add trunk flannel "$trunk" && only_vlan trunk "1 100 101 200"'
check "a pod on the trunk reaches the pods of a VLAN by tagged frames" \
  eval 'check_pod trunk flannel "$trunk" && tagged_link trunk 100 10.244.3.99/24 && reaches trunk "$(address_of red2)"'
check "and no pod of another VLAN" fails reaches trunk "$(address_of blue)"
check "CHECK misses a VLAN of a trunk" \
  eval 'bridge vlan del dev "$(host_link_of trunk)" vid 101 && ip -n trunk address add "$(address_of trunk)/24" dev eth0 &&
    ip -n trunk route add 10.244.0.0/16 via 10.244.3.1 dev eth0 && refused_with trunk "$trunk" "does not carry VLAN 101"'
check "CHECK says when the bridge does not filter" \
  eval 'ip link set cni0 type bridge vlan_filtering 0 && refused_with red2 "$(vlan 100)" "does not filter VLANs"'
check "DEL leaves nothing" all_deleted
