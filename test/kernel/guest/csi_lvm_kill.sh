#!/bin/bash
# csi-lvm is killed before and after its changes, in every call, and asked again: at $GUEST_KILLS of them in each call, which
# may be `all`. Without it, at one in each call, and only the driver alone. $GUEST_VOLUMES: `thick`, `thin`; without it both. $GUEST_CALLS: the
# calls to interrupt, as "create,snapshot:36-50": the latter at these of its points only; without it all.
source "$(dirname "$0")/../../tap.sh"
source "$(dirname "$0")/../volume_group.sh"

kills=${GUEST_KILLS:-few}
read -ra kinds <<<"${GUEST_VOLUMES:-thick thin}"
IFS=, read -ra calls <<<"${GUEST_CALLS:-}"
tree=$(cd "$(dirname "$0")/../../.." && pwd)

# killed program|all thick|thin: the table of what was done goes to /out, its last line to the reader.
killed() {
  local status=0
  /usr/bin/python3 -B "$tree/test/kernel/kill/csi_kill.py" "$tree" "$1" "$kills" "$2" "${calls[@]}" >"/out/killed-$1-$2" 2>&1 || status=$?
  tail -n "$((status == 0 ? 1 : 40))" "/out/killed-$1-$2"
  return "$status"
}

if [[ $kills == few ]]; then ways=1; else ways=2; fi
plan $((1 + ways * ${#kinds[@]}))
check "a group of two disks is made" make_group suite 256M
mkdir -p /var/lib/kubelet/plugins_registry
for kind in "${kinds[@]}"; do
  check "$kind: killed alone at any change, the driver finishes the call when it is asked again" killed program "$kind"
  [[ $kills == few ]] || check "$kind: killed with LVM's worker and all that it started, likewise" killed all "$kind"
done
sed -n 's/^ran /# ran /p' /out/killed-*
