# shellcheck shell=bash
# A node whose power goes in the middle of a plugin's call, again and again, on one disk. Sourced by scripts of lab/.
#
# Two pods live on the node: web, whose call is cut, and db, which was answered long before. After each cut the node
# boots, and a kubelet's work is done: DEL of every old sandbox, ADD of new ones. Both pods must have the address they
# have had from the first day, and nothing else may be there.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
lab=$here/lab.sh
disk=$LAB_OUT/disk

# What the plugin only remarks (of a damaged file, say) is no part of the answer; it is shown when the command fails.
on_node() {
  "$lab" exec 1 "$here/plugin_node.sh $* 2>/out/remarks" || { cat "$LAB_OUT/node1/remarks" >&2; return 1; }
}

# What is learnt on the first day is kept in files: checks run in subshells.
value() { cat "$LAB_OUT/$1"; }

# first_day VERB: the pods get their addresses; the changes to files that VERB makes for a known pod are listed.
first_day() {
  truncate -s 64M "$disk" && mkfs.ext4 -q "$disk" && "$lab" up && "$lab" start 1 "$disk" && on_node boot &&
    on_node add web 0 >"$LAB_OUT/web" && on_node add db 0 >"$LAB_OUT/db" &&
    [[ -n $(value web) && -n $(value db) && $(value web) != "$(value db)" ]] || return 1
  if [[ $1 == ADD ]]; then
    on_node del web 0 && on_node points ADD web 0 >"$LAB_OUT/points"
  else
    on_node points DEL web 0 >"$LAB_OUT/points" && on_node add web 0 >/dev/null
  fi
}

enough_points() { [[ $(wc -l <"$LAB_OUT/points") -ge 3 ]]; }

# point_of I OF: the I-th of OF points, spread over all of them from the first to the last.
point_of() {
  local -a points
  mapfile -t points <"$LAB_OUT/points"
  echo "${points[$(($1 * (${#points[@]} - 1) / ($2 - 1)))]}"
}

has_halted() { grep -qx "HALT $1" "$LAB_OUT/node1/halt" 2>/dev/null; }

# cut_power VERB WHEN POINT ROUND: sandbox ROUND of both pods runs; the power goes in the middle of the call for web.
cut_power() {
  local node=$here/plugin_node.sh call="halt $2 $3 $1 web $4" before=true
  if [[ $1 == ADD ]]; then
    call+=.cut
    before="$node del web $4"
  fi
  "$lab" exec 1 "$before && ($node $call >/out/halt 2>/out/halt.errors &)" &&
    within 20 has_halted "$3" && "$lab" kill 1
}

# What the next day must bring: nothing is left of the old sandboxes, and the new ones have the pods' addresses.
good_day() {
  local next=$(($1 + 1)) web db
  web=$(value web)
  db=$(value db)
  printf '%s\n' "links 0" "web $web" "db $db"
  printf '%s\n' "address $web web-$next" "address $db db-$next" | sort
  printf '%s\n' "configuration db-$next" "configuration web-$next" "links 2"
}

recover() {
  "$lab" start 1 "$disk" && on_node next_day "$1" >"$LAB_OUT/day" && diff <(good_day "$1") "$LAB_OUT/day"
}

cut_and_recover() { cut_power "$@" && recover "$4"; }

# cut_in VERB TIMES: the whole test.
cut_in() {
  local verb=$1 times=$2 round when point
  plan $((times + 2))
  check "two pods get their addresses" first_day "$verb"
  check "$verb changes files" enough_points
  for ((round = 0; round < times; ++round)); do
    when=before
    ((round % 2 == 0)) || when=after
    point=$(point_of "$round" "$times")
    check "the power goes $when change $point of $verb, and both pods keep their addresses" \
      cut_and_recover "$verb" "$when" "$point" "$round"
  done
}
