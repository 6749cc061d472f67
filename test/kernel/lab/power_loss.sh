#!/bin/bash
# A node with a disk that loses power: what it was told is on the disk is there afterwards, what it was not told
# is gone. The second half shows that the loss of power is a real one.
source "$(dirname "$0")/../../tap.sh"

lab=$(cd "$(dirname "$0")/.." && pwd)/lab.sh
disk=$LAB_OUT/disk
answered=$LAB_OUT/node1/answered

make_disk() { truncate -s 64M "$disk" && mkfs.ext4 -q "$disk"; }

start_with_disk() { "$lab" start 1 "$disk" && "$lab" exec 1 'mkdir -p /data && mount /dev/ubda /data'; }

write_some() {
  "$lab" exec 1 'echo kept >/data/synced && sync /data/synced /data && echo lost >/data/unsynced && cat /data/unsynced'
}

# Counts up in a file that is replaced as the state files are, and tells the host each number that is on the disk.
start_writer() {
  "$lab" exec 1 '(i=0; while i=$((i + 1)); do
      echo $i >/data/part && sync /data/part && mv /data/part /data/count && sync /data && echo $i >>/out/answered
    done) >/dev/null 2>&1 &'
}

has_answered() { [[ $(wc -l 2>/dev/null <"$answered") -ge 20 ]]; }

# What was answered last before the power went; the file goes with the node's folder when it boots again.
remember_answer() { "$lab" kill 1 && tail -n 1 "$answered" >"$LAB_OUT/last"; }

count_is_not_older() { [[ $("$lab" exec 1 'cat /data/count') -ge $(<"$LAB_OUT/last") ]]; }

plan 13
check "a disk is made" make_disk
check "the network comes up" "$lab" up
check "the node boots and mounts it" start_with_disk
check "it writes" write_some
check "it loses power" "$lab" kill 1
check "a node without power answers nothing" fails "$lab" exec 1 true
check "it boots again" start_with_disk
check "what was synced is there" "$lab" exec 1 'grep -qx kept /data/synced'
check "what was not synced is gone" "$lab" exec 1 '[[ ! -s /data/unsynced ]]'
check "a writer runs" start_writer
check "it answers" within 20 has_answered
check "it loses power while it writes" remember_answer
check "nothing answered is lost" eval 'start_with_disk && count_is_not_older'
