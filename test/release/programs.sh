#!/bin/bash
# What a person hears who starts a program by hand.
source "$(dirname "$0")/../tap.sh"

bin=$(cd "$(dirname "$0")/../.." && pwd)/build/bin
programs=(csi-disk csi-lvm csi-nas csi-node flanneld holdfast lvmcmd node-resource-manager)

# each FLAG PATTERN: every program answers the flag at once, with such a text.
each() {
  local program text status=0
  for program in "${programs[@]}"; do
    text=$(timeout 20 "$bin/$program" "$1" 2>&1 </dev/null) && [[ $text =~ $2 ]] && continue
    echo "$program $1: $text"
    status=1
  done
  return "$status"
}

# flanneld.md names settings of its unit, which has them.
promised() {
  local doc=$bin/../../docs/flanneld.md unit=$bin/../../packaging/node/flanneld.service setting
  for setting in RestartPreventExitStatus=3 NotifyAccess=main; do
    grep -qF "\`$setting\`" "$doc" && grep -qxF "$setting" "$unit" && continue
    echo "$setting"
    return 1
  done
  ! grep -qx 'Type=notify' "$unit" || ! grep -qx 'Before=kubelet.service' "$unit"
}

plan 3
check "flanneld's unit is as its page says, and lets kubelet start" promised
check "every program tells its version" each --version '[0-9]+\.[0-9]+\.[0-9]+'
check "every program tells what it is, and its flags" each --help '--version'
