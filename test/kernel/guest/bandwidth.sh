#!/bin/bash
# A pod's bandwidth limit by the bandwidth plugin chained behind ours, seen by traffic. Many machines' kernels lack what
# the plugin needs (mirred, u32).
source "$(dirname "$0")/../../tap.sh"
source "$(dirname "$0")/../pods.sh"

flannel='"delegate":{"isDefaultGateway":true}'
# Bits a second, and bits at once; ingress is to the pod.
limit='"runtimeConfig":{"bandwidth":{"ingressRate":8000000,"ingressBurst":400000,"egressRate":4000000,"egressBurst":400000}}'

# rate_between POD POD: megabits a second of one TCP stream, whole ones. It lasts about two seconds.
rate_between() {
  local rate=/run/rate
  rm -f "$rate" "$rate.ready"
  ip netns exec "$2" python3 "$tree/test/kernel/tcp_rate.py" receive "$rate" &
  within 20 test -e "$rate.ready" && ip netns exec "$1" python3 "$tree/test/kernel/tcp_rate.py" send "$(address_of "$2")" &&
    wait $! && cat "$rate"
}

# rate_is LOW HIGH POD POD
rate_is() {
  local rate
  rate=$(rate_between "$3" "$4") && echo "$rate Mbit/s" && ((rate >= $1 && rate <= $2))
}

two_pods() { add free flannel "$flannel" && add tight flannel "$flannel" && address_of tight >/run/address; }
no_limit_left() { [[ -z $(ip -o link show type ifb) ]] && fails grep -q tbf <(tc qdisc show); }
start_anew() {
  forget tight && ip netns delete tight && add tight flannel "$flannel" && [[ $(address_of tight) == "$(</run/address)" ]]
}

plan 9
check "the modules load" start_node ifb sch_tbf sch_ingress cls_u32 act_mirred
check "two pods get addresses" two_pods
check "without a limit more than 20 Mbit/s pass" rate_is 20 1000000 free tight
check "the bandwidth plugin takes our result" add tight bandwidth "$limit"
check "to the pod pass 8 Mbit/s" rate_is 3 9 free tight
check "from the pod pass 4 Mbit/s" rate_is 1 5 tight free
check "CHECK of the list finds nothing amiss" \
  eval 'check_pod tight flannel "$flannel" && check_pod tight bandwidth "$limit"'
check "DEL of the list takes the limit away" \
  eval 'del tight bandwidth "$limit" && del tight flannel "$flannel" && no_limit_left'
check "the pod that starts anew has its address and no limit" \
  eval 'start_anew && rate_is 20 1000000 free tight && rate_is 20 1000000 tight free'
