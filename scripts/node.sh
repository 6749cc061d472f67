#!/bin/bash
# Puts the CNI plugin on a node that runs flannel, with pods running; takes it back; takes all of ours away. It needs nothing
# of this tree, so that it can be copied to a node.
#
#   node.sh [--dry-run] take PROGRAM     PROGRAM is our plugin (build/bin/flannel); flannel's own stays beside it, for the way back
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
memory=(/run/flannel "$cni_memory/flannel-state" /var/lib/egw /var/lib/egw-core /var/lib/holdfast)
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
  echo "$($dry && echo "would ")$1"
  $dry || "${@:2}"
}

# Ends here when something was refused.
go_on() { ((refusals == 0)) || exit 1; }

is_ours() { [[ -x $1 && $("$1" </dev/null 2>&1) == *Holdfast* ]]; }

# Whether flannel's own plugin was kept.
has_kept() { [[ -e $kept ]] && ! is_ours "$kept"; }

is_a_package() { command -v dpkg-query >/dev/null && dpkg-query --show --showformat '${db:Status-Abbrev}' holdfast-cni 2>/dev/null | grep -q '^ii'; }

# The list that container runtimes take: the first by name.
first_list() { { find "$lists" -maxdepth 1 -name '*.conf*' 2>/dev/null || true; } | LC_ALL=C sort | head -n 1; }

common_checks() {
  [[ $(id -u) -eq 0 ]] || refuse "root is needed: sudo $0"
  ! is_a_package || refuse "the package holdfast-cni keeps $plugin here: apt install or apt remove it instead"
}

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
}

# replace FROM TO: one rename, so that no pod starts with half a program.
replace() {
  cp -p "$1" "$2.new"
  sync "$2.new"
  mv "$2.new" "$2"
}

take() {
  check_take "$1"
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
  has command -v nft || $without_nft || ! grep -qw nft_do_chain /proc/kallsyms ||
    refuse "there is no nft to look for our tables with, one of which drops the packets of nodes that join later: install nftables. Or start our" \
      "flanneld once with --accept-unknown-peers, and egw-helper with --remove, and try again with --without-nft"
}

back() {
  common_checks
  check_nft
  has_kept || ! is_ours "$plugin" || refuse "there is no $kept of flannel's: install its own plugin at $plugin"
  go_on
  ! has_kept || do_it "put flannel's own plugin at $plugin" mv "$kept" "$plugin"
  drop_table "inet flanneld-peers"
  remove_drop_ins
  echo "pods keep running, and their addresses. /var/lib/cni/flannel-state may stay: ours finds it again"
}

# has COMMAND...: whether it succeeds, with nothing said.
has() { "$@" >/dev/null 2>&1; }

drop_table() {
  # shellcheck disable=SC2086 # family and name
  ! has nft list table $1 || do_it "delete the nftables table $1" nft delete table $1
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
    [[ ${file% (deleted)} != */"$1" ]] || echo "${each#/proc/}"
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
  local save table chain line
  for save in iptables-save ip6tables-save iptables-legacy-save ip6tables-legacy-save; do
    command -v "$save" >/dev/null || continue
    for table in nat filter raw mangle; do
      remove_strays "${save%-save}" "$table"
      for chain in "${chains[@]}"; do
        # not grep -q, which ends early: then there seems to be none where rules are many
        "$save" -t "$table" 2>/dev/null | grep "^:$chain " >/dev/null || continue
        do_it "remove the chain $chain of ${save%-save}'s table $table" remove_chain "${save%-save}" "$table" "$chain"
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
    [[ -z $(ip "$family" route show table all proto "$egw_protocol" 2>/dev/null) ]] ||
      do_it "remove egw-helper's routes (ip $family)" ip "$family" route flush table all proto "$egw_protocol"
  done
}

remove() {
  local each
  check_remove
  go_on
  for each in "${links[@]}"; do
    ! has ip link show "$each" || do_it "delete the link $each" ip link delete "$each"
  done
  remove_routes
  remove_rules
  remove_drop_ins
  forget_addresses
  for each in "${memory[@]}"; do
    [[ ! -e $each ]] || do_it "remove $each" rm -rf "$each"
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
      [[ ! -e $file ]] || basename "$file" .bindings
    done
  } | sort -u
}

# Which addresses pods have, and what each was made with. Folders are those of other networks too, whose containers may run.
forget_addresses() {
  local name file
  while read -r name; do
    file=$cni_memory/networks/$name
    [[ ! -e $file ]] || do_it "remove $file" rm -rf "$file"
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
  [[ ! -e $devices ]] || echo "kept: the volume groups of the disks in $devices, with all volumes (vgs --devicesfile ${devices##*/})"
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
    take:2) take "$2" ;;
    back:1) back ;;
    remove:1) remove ;;
    *)
      sed -n '2,/^set/{s/^# \?//p}' "$0" >&2
      exit 2
      ;;
  esac
}

main "$@"
