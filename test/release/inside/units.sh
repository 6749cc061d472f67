# shellcheck shell=bash
# What the scripts here say of units and of files. Sourced.

# with_journal UNIT COMMAND...: shows what the unit said when the command fails.
with_journal() {
  "${@:2}" && return
  systemctl --no-pager --lines=0 status "$1"
  journalctl --no-pager --output=cat --unit "$1" | tail -n 15
  return 1
}

# Every file that a package or a daemon could leave behind: not logs, caches and what dpkg and systemd note,
# nor the machine that the guest runs on, where it is mounted.
all_files() {
  local -a beside=(-path /test -o -path /host)
  local folder
  for folder in lib/dpkg lib/systemd log cache; do beside+=(-o -path "/var/$folder"); done
  find / -xdev \( "${beside[@]}" \) -prune -o ! -name .updated -print | sort
}
