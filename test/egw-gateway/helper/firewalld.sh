#!/usr/bin/env bash
# firewalld.sh PACKAGES FOLDER COMMAND: runs the firewalld of the packages that are unpacked below PACKAGES in this network namespace, with a D-Bus of
# its own, and while it runs COMMAND, a shell's, in which firewall-cmd speaks to it. What it keeps is in FOLDER. Both daemons are killed then: their rules
# stay. Fails when one of it does.
set -euo pipefail

packages=$1 folder=$2 command=$3
libraries=$packages/usr/lib/$(uname -m)-linux-gnu
export PYTHONPATH=$packages/usr/lib/python3/dist-packages LD_LIBRARY_PATH=$libraries GI_TYPELIB_PATH=$libraries/girepository-1.0
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$folder/bus PACKAGES=$packages

mkdir -p "$folder/etc"
rm -f "$folder/bus"
cat >"$folder/bus.conf" <<BUS
<busconfig><type>system</type><listen>$DBUS_SYSTEM_BUS_ADDRESS</listen><auth>EXTERNAL</auth>
<policy context="default"><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy></busconfig>
BUS

firewall-cmd() { timeout 20 /usr/bin/python3 "$PACKAGES/usr/bin/firewall-cmd" "$@"; }
export -f firewall-cmd

end() { kill -9 "${daemons[@]}" || true; }
daemons=()
trap end EXIT
"$packages/usr/bin/dbus-daemon" --config-file="$folder/bus.conf" --nofork &>"$folder/bus.log" &
daemons+=($!)
until [[ -S $folder/bus ]]; do
  kill -0 "${daemons[0]}"
  sleep 0.1
done
/usr/bin/python3 "$packages/usr/sbin/firewalld" --nofork --nopid --system-config="$folder/etc" \
  --default-config="$packages/usr/lib/firewalld" --log-file="$folder/firewalld.log" &>"$folder/firewalld.out" &
daemons+=($!)
until firewall-cmd --state &>"$folder/state"; do
  kill -0 "${daemons[1]}"
  sleep 0.1
done
bash -euc "$command"
