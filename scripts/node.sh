#!/bin/bash
# Puts the CNI plugin on a node that runs flannel, with pods running; takes it back; takes all of ours away. It needs nothing
# of this tree, so that it can be copied to a node.
#
#   node.sh [--dry-run] take PROGRAM [FLAG...]
#                                        PROGRAM is our plugin (build/bin/flannel); flannel's own stays beside it, for the way back.
#                                        FLAGs are those that our flanneld will have beside what our DaemonSet tells it: what the
#                                        flanneld that runs here is told must be among them
#   node.sh [--dry-run] back             puts flannel's own in its place again, and takes away what would be in its way
#   node.sh [--dry-run] remove           takes away the network that flanneld, egw-helper and the plugin made, and what they
#                                        remember. Volumes and volume groups stay
#
# --without-nft is for back and remove where nftables' program nft is missing and our tables were taken away otherwise.
#
# First all that must hold is looked at: what does not is told with its cure, nothing is changed, and the exit status is 1.
# --dry-run then prints what would be done. Each verb may be tried again, wherever an earlier one was cut off.
set -euo pipefail

bin=/opt/cni/bin
plugin=$bin/flannel
kept=$bin/flannel.upstream
lists=/etc/cni/net.d
links=(flannel.1 flannel-v6.1 cni0)
egw_protocol=157   # of egw-helper's routes and rules
egw_tables=(20157 20158)
chains=(FLANNEL-POSTRTG FLANNEL-FWD EGW-RAW EGW-INPUT EGW-LEAVING EGW-LAN)
nft_tables=("inet flanneld-peers" "ip flannel-ipv4" "ip6 flannel-ipv6" "ip egw-ipv4" "ip6 egw-ipv6")
drop_ins=(/run/systemd/network/10-flanneld.link /run/systemd/network/10-flanneld.network /run/NetworkManager/conf.d/10-flanneld.conf)
mark='# Written by flanneld'
cni_memory=/var/lib/cni
memory=(/run/flannel "$cni_memory/flannel-state" /var/lib/egw /var/lib/egw-core /var/lib/holdfast /opt/holdfast)
# Flags of flanneld, upstream's and ours, and what each is when nobody tells it. Those of etcd and of klog have no effect on ours.
declare -A flag_defaults=(
  [iface]='' [iface-regex]='' [iface-can-reach]='' [public-ip]='' [public-ipv6]=''
  [net-config-path]=/etc/kube-flannel/net-conf.json [subnet-file]=/run/flannel/subnet.env
  [ip-masq]=false [ip-masq-fully-random-disable]=false [ip-blackhole-route]=false
  [iptables-forward-rules]=true [iptables-resync]=5 [healthz-ip]=0.0.0.0 [healthz-port]=0
  [kube-subnet-mgr]=false [kube-api-url]='' [kubeconfig-file]='' [kube-annotation-prefix]=flannel.alpha.coreos.com
  [set-node-network-unavailable]=true
)
daemonset_flags=(--ip-masq --healthz-port=8081)   # of our flanneld: manifests/base/flannel/daemonset.yaml
daemons=(flanneld egw-helper egw-core egw-access csi-node csi-lvm csi-nas csi-disk node-resource-manager)

dry=false
without_nft=false
refusals=0

refuse() {
  echo "refused: $*" >&2
  refusals=$((refusals + 1))
}

# do_it WHAT COMMAND...: says what, and does it unless that is all that is asked for.
do_it() {
  if $dry; then
    echo "would $1"
  else
    echo "$1"
    "${@:2}"
  fi
}

# Ends here when something was refused.
go_on() {
  if ((refusals > 0)); then exit 1; fi
}

is_ours() { [[ -x $1 && $("$1" </dev/null 2>&1) == *Holdfast* ]]; }

# Whether flannel's own plugin was kept.
has_kept() { [[ -e $kept ]] && ! is_ours "$kept"; }

is_a_package() { command -v dpkg-query >/dev/null && dpkg-query --show --showformat '${db:Status-Abbrev}' holdfast-cni 2>/dev/null | grep -q '^ii'; }

# The list that container runtimes take: the first by name.
first_list() { { find "$lists" -maxdepth 1 -name '*.conf*' 2>/dev/null || true; } | LC_ALL=C sort | head -n 1; }

common_checks() {
  [[ $(id -u) -eq 0 ]] || refuse "root is needed: sudo $0"
  if is_a_package; then refuse "the package holdfast-cni keeps $plugin here: apt install or apt remove it instead"; fi
}

# check_take PROGRAM [FLAG...]
check_take() {
  local program=$1 list
  common_checks
  [[ -f $program ]] || { refuse "there is no program '$program': ./run build makes build/bin/flannel"; return; }
  is_ours "$program" || refuse "$program does not run here, or is not ours: this node is $(uname -m), is it?"
  [[ -e $plugin ]] || refuse "there is no $plugin: this node does not run flannel. A node without a cluster installs the package holdfast-cni"
  list=$(first_list)
  if [[ -z $list ]]; then
    refuse "$lists has no configuration list: is flannel's DaemonSet done on this node?"
  elif ! grep -qE '"type": *"flannel"' "$list"; then
    refuse "pods are connected by $list, which does not name flannel: take it away, or leave this node as it is"
  fi
  [[ -e /run/flannel/subnet.env ]] || refuse "/run/flannel/subnet.env is not there: flanneld has no lease; look at its messages"
  if [[ -e $plugin ]] && ! is_ours "$plugin"; then
    for program in bridge host-local; do
      [[ -x $bin/$program ]] || refuse "$bin/$program is not there, which flannel's own plugin needs: there would be no way back"
    done
  fi
  check_flanneld "${@:2}"
}

# check_flanneld FLAG...: whether ours, told these, does what the flanneld that runs here does.
check_flanneld() {
  local process
  for process in $(processes_of flanneld); do
    # of a container, whose programs do not run here
    if ! grep -q holdfast "/proc/$process/exe" 2>/dev/null; then compare_flags "$process" "$@"; fi
  done
}

# compare_flags PROCESS FLAG...
compare_flags() {
  local process=$1 name theirs ours told telling
  told=$(flags_of "$process")
  telling=$(read_flags "${daemonset_flags[@]}" "${@:2}")
  check_leases "$process" "$told" "${@:2}"
  check_backend "$process" "$(value_of net-config-path "$told")"
  while read -r name; do
    theirs=$(value_of "$name" "$told")
    ours=$(value_of "$name" "$telling")
    if [[ $theirs == "$ours" || $name == kube-subnet-mgr ]]; then continue; fi
    # what nobody told it ours has by itself, but for what our DaemonSet tells
    if [[ $theirs == "${flag_defaults[$name]}" && $name != ip-masq ]]; then continue; fi
    refuse "flanneld (process $process) has --$name=$theirs, and ours would have --$name=$ours: tell our DaemonSet the same" \
      "(docs/upgrade.md, 'From flannel, node by node'), and then $0 too, behind PROGRAM"
  done < <(printf '%s\n' "${!flag_defaults[@]}" | LC_ALL=C sort)
}

# check_leases PROCESS TOLD FLAG...
check_leases() {
  if [[ $(value_of kube-subnet-mgr "$2") == true || " ${*:3}" == *' --source='* ]]; then return; fi
  refuse "flanneld (process $1) has its leases in etcd, which ours does not serve: let it run with --kube-subnet-mgr first. Or name the" \
    "source that ours will have behind PROGRAM, as --source=dir"
}

# check_backend PROCESS FILE: the network's configuration, as that process sees it.
check_backend() {
  local type
  type=$({ grep -ioE '"type" *: *"[^"]*"' "/proc/$1/root$2" 2>/dev/null || true; } | head -n 1 | sed 's/.*"\([^"]*\)"$/\1/')
  if [[ -n $type && ${type,,} != vxlan ]]; then
    refuse "flanneld (process $1) has the backend '$type' ($2), and ours has vxlan alone: change all nodes to that first, or leave flannel here"
  fi
}

# flags_of PROCESS: a line NAME=VALUE for each flag that it was told. Its arguments count before its environment.
flags_of() {
  local each name told
  local -a arguments environment
  mapfile -d '' -t arguments <"/proc/$1/cmdline"
  mapfile -d '' -t environment <"/proc/$1/environ"
  told=$(read_flags "${arguments[@]:1}")
  echo "$told"
  for each in "${environment[@]}"; do
    [[ $each == FLANNELD_*=* ]] || continue
    name=${each%%=*}
    name=${name#FLANNELD_}
    name=${name,,}
    name=${name//_/-}
    if ! grep -q "^$name=" <<<"$told"; then read_flags "--$name=${each#*=}"; fi
  done
}

# read_flags ARGUMENT...: the same of arguments, as Go reads them.
read_flags() {
  local name value
  while [[ ${1-} =~ ^--?([a-z][a-z0-9_-]*)(=|$) ]]; do
    name=${BASH_REMATCH[1]}
    if [[ $1 == *=* ]]; then
      value=${1#*=}
    elif [[ ${flag_defaults[$name]-} =~ ^(true|false)$ || ${2--} == -* ]]; then
      value=true
    else
      value=$2
      shift
    fi
    shift
    # the names that edge clusters have for it
    case $name in node-iface | flannel-iface) name=iface ;; esac
    case ${flag_defaults[$name]-}:$value in
      true:[1tT]* | false:[1tT]*) value=true ;;
      true:[0fF]* | false:[0fF]*) value=false ;;
    esac
    if [[ -v flag_defaults[$name] ]]; then echo "$name=$value"; fi
  done
}

# value_of NAME TOLD: of a flag that may be repeated all values, with spaces between.
value_of() {
  local values
  values=$({ grep "^$1=" <<<"$2" || true; } | cut -d= -f2-)
  case $1 in
    iface | iface-regex) paste -sd ' ' <<<"$values" ;;
    *) tail -n 1 <<<"${values:-${flag_defaults[$1]}}" ;;
  esac
}

# replace FROM TO: one rename, so that no pod starts with half a program.
replace() {
  cp -p "$1" "$2.new"
  sync "$2.new"
  mv "$2.new" "$2"
}

take() {
  check_take "$@"
  go_on
  if is_ours "$plugin"; then
    echo "$plugin is ours"
  else
    do_it "keep flannel's own plugin as $kept" replace "$plugin" "$kept"
  fi
  cmp -s "$1" "$plugin" || do_it "put $1 at $plugin" replace "$1" "$plugin"
  echo "pods keep running, and their addresses. A DaemonSet that installs flannel's plugin on each start would put it back: take that container out"
}

# Where the kernel has nf_tables, whose tables only nft takes away: flanneld and egw-helper need none to make them.
check_nft() {
  if $without_nft || has command -v nft; then return; fi
  if grep -qw nft_do_chain /proc/kallsyms; then
    refuse "there is no nft to look for our tables with, one of which drops the packets of nodes that join later: install nftables. Or start our" \
      "flanneld once with --accept-unknown-peers, and egw-helper with --remove, and try again with --without-nft"
  fi
}

back() {
  common_checks
  check_nft
  if is_ours "$plugin" && ! has_kept; then refuse "there is no $kept of flannel's: install its own plugin at $plugin"; fi
  go_on
  if has_kept; then do_it "put flannel's own plugin at $plugin" mv "$kept" "$plugin"; fi
  drop_table "inet flanneld-peers"
  remove_drop_ins
  echo "pods keep running, and their addresses. /var/lib/cni/flannel-state may stay: ours finds it again"
}

# has COMMAND...: whether it succeeds, with nothing said.
has() { "$@" >/dev/null 2>&1; }

drop_table() {
  # shellcheck disable=SC2086 # family and name
  if has nft list table $1; then do_it "delete the nftables table $1" nft delete table $1; fi
}

remove_drop_ins() {
  local file
  for file in "${drop_ins[@]}"; do
    if [[ -e $file ]] && head -n 1 "$file" | grep -qF "$mark"; then do_it "remove $file" rm -f "$file"; fi
  done
}

# The processes of a program, by its file: names are cut off, and containers have other paths. A file that was exchanged since is
# told as "FILE (deleted)".
processes_of() {
  local each file
  for each in /proc/[0-9]*; do
    file=$(readlink "$each/exe" 2>/dev/null) || continue
    if [[ ${file% (deleted)} == */"$1" ]]; then echo "${each#/proc/}"; fi
  done
}

check_remove() {
  local name found
  common_checks
  check_nft
  for name in "${daemons[@]}"; do
    found=$(processes_of "$name" | paste -sd ' ')
    [[ -z $found ]] || refuse "$name runs (process $found): take its DaemonSet off this node, or systemctl stop $name"
  done
  found=$({ ip -o link show master cni0 2>/dev/null || true; } | wc -l)
  ((found == 0)) || refuse "$found pods are connected to cni0: drain the node, or stop them"
  # below whichever folder kubelet has: /var/lib/kubelet, /var/lib/k0s/kubelet, /var/snap/microk8s/common/var/lib/kubelet
  found=$(grep -cE '/(plugins/kubernetes\.io/csi|volumes/kubernetes\.io~csi)/' /proc/self/mountinfo || true)
  ((found == 0)) || refuse "$found volumes of CSI drivers are mounted: drain the node, or stop their pods"
}

remove_rules() {
  local save table chain
  for save in iptables-save ip6tables-save iptables-legacy-save ip6tables-legacy-save; do
    command -v "$save" >/dev/null || continue
    for table in nat filter raw mangle; do
      remove_strays "${save%-save}" "$table"
      for chain in "${chains[@]}"; do
        # not grep -q, which ends early: then there seems to be none where rules are many
        if "$save" -t "$table" 2>/dev/null | grep "^:$chain " >/dev/null; then
          do_it "remove the chain $chain of ${save%-save}'s table $table" remove_chain "${save%-save}" "$table" "$chain"
        fi
      done
    done
  done
  for table in "${nft_tables[@]}"; do drop_table "$table"; done
}

# Rules of flannel before version 0.20, which had no chains.
remove_strays() {
  local line
  { "$1-save" -t "$2" 2>/dev/null || true; } | { grep -E '^-A (POSTROUTING|FORWARD) .*--comment "flanneld (masq|forward)"' || true; } |
    { grep -v -e ' -j FLANNEL-' || true; } | while read -r line; do
    do_it "remove the rule $line of $1's table $2" xargs "$1" -w -t "$2" -D <<<"${line#-A }"
  done
}

remove_chain() {
  local line
  "$1-save" -t "$2" | grep -e " -[jg] $3\$" -e " -[jg] $3 " | while read -r line; do
    # xargs reads the quotes of comments as they are written
    xargs "$1" -w -t "$2" -D <<<"${line#-A }"
  done
  "$1" -w -t "$2" -F "$3"
  "$1" -w -t "$2" -X "$3"
}

remove_routes() {
  local family table priority
  for family in -4 -6; do
    for table in "${egw_tables[@]}"; do
      while read -r priority; do
        do_it "remove the rule of priority $priority (ip $family)" ip "$family" rule delete priority "$priority" table "$table"
      done < <(ip "$family" rule show table "$table" 2>/dev/null | cut -d: -f1)
    done
    if [[ -n $(ip "$family" route show table all proto "$egw_protocol" 2>/dev/null) ]]; then
      do_it "remove egw-helper's routes (ip $family)" ip "$family" route flush table all proto "$egw_protocol"
    fi
  done
}

remove() {
  local each
  check_remove
  go_on
  for each in "${links[@]}"; do
    if has ip link show "$each"; then do_it "delete the link $each" ip link delete "$each"; fi
  done
  remove_routes
  remove_rules
  remove_drop_ins
  forget_addresses
  for each in "${memory[@]}"; do
    if [[ -e $each ]]; then do_it "remove $each" rm -rf "$each"; fi
  done
  if has_kept; then
    do_it "put flannel's own plugin at $plugin" mv "$kept" "$plugin"
  elif is_ours "$plugin"; then
    remove_lists
    do_it "remove $plugin" rm -f "$plugin" "$kept"
  fi
  remove_empty
  keep_volumes
}

# The lists that connect pods by flannel.
flannel_lists() { { grep -lsE '"type": *"flannel"' "$lists"/*.conf* || true; }; }

# The networks that flannel's plugin or ours had: of lists that are there, of what ours remembers, and upstream's own name.
networks() {
  local list file
  {
    echo cbr0
    while read -r list; do
      grep -oE '"name": *"[A-Za-z0-9][A-Za-z0-9_.-]*"' "$list" | head -n 1 | sed 's/.*"\(.*\)"/\1/' || true
    done < <(flannel_lists)
    for file in "$cni_memory"/flannel-state/*.bindings; do
      if [[ -e $file ]]; then basename "$file" .bindings; fi
    done
  } | sort -u
}

# Which addresses pods have, and what each was made with. Folders are those of other networks too, whose containers may run.
forget_addresses() {
  local name file
  while read -r name; do
    file=$cni_memory/networks/$name
    if [[ -e $file ]]; then do_it "remove $file" rm -rf "$file"; fi
    { grep -lsrE "\"name\": *\"$name\"" "$cni_memory/flannel" || true; } | while read -r file; do
      do_it "remove $file" rm -f "$file"
    done
  done < <(networks)
}

# A list that names a plugin that is gone would have the runtime take the node for ready.
remove_lists() {
  local list
  flannel_lists | while read -r list; do do_it "remove $list" rm -f "$list"; done
}

remove_empty() {
  local folder
  for folder in "$cni_memory/networks" "$cni_memory/flannel" "$cni_memory"; do
    if [[ -d $folder && -z $(ls -A "$folder") ]]; then do_it "remove $folder" rmdir "$folder"; fi
  done
}

keep_volumes() {
  local devices=/etc/lvm/devices/holdfast.devices
  [[ -e $devices ]] || return 0
  echo "kept: the volume groups of the disks in $devices, with all volumes (vgs --devicesfile ${devices##*/})"
}

main() {
  while [[ ${1-} == --* ]]; do
    case $1 in
      --dry-run) dry=true ;;
      --without-nft) without_nft=true ;;
      *) break ;;
    esac
    shift
  done
  case ${1-}:$# in
    take:1) usage ;;
    take:*) take "${@:2}" ;;
    back:1) back ;;
    remove:1) remove ;;
    *) usage ;;
  esac
}

usage() {
  sed -n '2,/^set/{s/^# \?//p}' "$0" >&2
  exit 2
}

main "$@"
