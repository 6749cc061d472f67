#!/bin/bash
# PID 1 of a guest (guest.sh starts it). Nothing of the host can be written but GUEST_OUT.
#
#     /            tmpfs
#     /usr         the host's, read-only underneath, writable in memory
#     /etc         likewise
#     GUEST_TREE   the project, read-only, at the path it has on the host
#     /out         GUEST_OUT, shared with the host
#
# All GUEST_* come from the kernel's command line: what the kernel does not know becomes init's environment.
# GUEST_RUN is a script of the tree, whose exit status goes to /out/status, or "agent": then every file
# /out/queue/ID.cmd is run, its output put into ID.out and its exit status into ID.status.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 TERM=dumb

power_off() {
  sync
  echo o >/proc/sysrq-trigger
  sleep 30
}

fail() {
  echo "guest: $* failed"
  mount -t proc proc /proc 2>/dev/null
  power_off
}

# First stage: the root is the host's, read-only. Builds the new root under /mnt and moves into it.
build_root() {
  mount -t proc proc /proc || fail "mount of /proc"
  mount -t tmpfs -o size=100%,mode=755 root /mnt || fail "mount of the root"
  cd /mnt || fail "entering the root"
  mkdir -p .overlay/{usr,etc}/{upper,work} .host proc sys dev run tmp mnt var/{lib,log,tmp,cache} srv root home usr etc out
  chmod 1777 tmp var/tmp
  ln -s /run var/run
  link_usr_folders
  insmod "$GUEST_MODULES/$(uname -r)/kernel/fs/overlayfs/overlay.ko" || fail "overlay.ko"
  mount_writable usr
  mount_writable etc
  mount_host_folder "$GUEST_TREE" ".$GUEST_TREE" ro
  mount_host_folder "$GUEST_OUT" out rw
  umount -l /proc
  pivot_root . .host && exec chroot . /bin/bash "$GUEST_TREE/test/kernel/init.sh" second-stage
  fail "pivot_root"
}

# /bin, /lib and so on, as on the host: links into /usr.
link_usr_folders() {
  local name
  local -a links=()
  for name in /bin /sbin /lib /lib32 /lib64 /libx32; do
    [[ ! -L $name ]] || links+=("$name")
  done
  cp -d "${links[@]}" .
}

mount_writable() {
  local layers=/mnt/.overlay/$1
  mount -t overlay -o "lowerdir=/$1,upperdir=$layers/upper,workdir=$layers/work" "$1" "$1" || fail "mount of /$1"
}

mount_host_folder() {
  mkdir -p "$2"
  mount -t hostfs -o "$3,$1" none "$2" || fail "mount of $1"
}

# Second stage: everything that a program expects of a running system.
mount_system() {
  mkdir -p /usr/lib/modules
  cat >/etc/fstab <<END
sysfs    /sys             sysfs    defaults
devtmpfs /dev             devtmpfs defaults
devpts   /dev/pts         devpts   X-mount.mkdir
shm      /dev/shm         tmpfs    X-mount.mkdir
run      /run             tmpfs    mode=755
cgroup2  /sys/fs/cgroup   cgroup2  defaults
none     /usr/lib/modules hostfs   ro,$GUEST_MODULES
END
  mount -t proc proc /proc
  mount --all # one program for all of them: programs start slowly here
  ln -sf /proc/self/fd /dev/fd
  mkdir -p /run/lock /run/netns
  umount -l /.host
}

name_system() {
  hostname "$GUEST_NAME"
  printf '127.0.0.1 localhost %s\n::1 localhost\n' "$GUEST_NAME" >/etc/hosts
  ip link set lo up
}

# This kernel has no nf_tables families ip, ip6 and inet.
use_legacy_iptables() {
  local name
  for name in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do
    [[ ! -e /usr/sbin/xtables-legacy-multi ]] || ln -sf xtables-legacy-multi "/usr/sbin/$name"
  done
}

run_command() {
  local id=${1%.run}
  bash "$id.run" >"$id.out" 2>&1 </dev/null
  echo $? >"$id.status.part"
  mv "$id.status.part" "$id.status"
}

serve_commands() {
  mkfifo /run/tick
  exec 9<>/run/tick
  mkdir -p /out/queue
  touch /out/ready
  local command
  while [[ ! -e /out/queue/stop ]]; do
    for command in /out/queue/*.cmd; do
      [[ -e $command ]] || continue
      mv "$command" "${command%.cmd}.run"
      (exec 9>&- && run_command "${command%.cmd}.run") &
    done
    read -rt 0.02 -u 9
  done
  echo 0 >/out/status
}

run_script() {
  touch /out/ready
  cd /tmp && bash "$GUEST_RUN" >/out/log 2>&1 </dev/null
  echo $? >/out/status
}

if [[ ${1-} != second-stage ]]; then
  build_root
fi
mount_system
name_system
use_legacy_iptables
if [[ $GUEST_RUN == agent ]]; then serve_commands; else run_script; fi
power_off
