# shellcheck shell=bash
# The cloud of the node that a guest is: a network namespace at the other end of eth0's cable, switch0, with the machine's own file
# system, read-only, of which the node is a folder. Sourced, beside tap.sh and the file `tree`.
tree=$(<tree)
cloud=/host
node=/mnt  # the node's file system as those in the cloud see it
machine=(chroot "$cloud")
in_cloud=(ip netns exec cloud "${machine[@]}")

machine_is_seen() {
  mkdir -p "$cloud" &&
    mount -t hostfs -o ro,/ none "$cloud" &&
    mount --bind / "$cloud$node" &&
    mount --bind /proc "$cloud/proc" &&
    mount --bind /dev "$cloud/dev"
}

# cloud_starts TOKEN=NAMESPACE/NAME@NODE...: an API server with our manifests' roles and policies, and these service accounts.
cloud_starts() {
  machine_is_seen &&
    ip netns add cloud &&
    ip link set switch0 netns cloud &&
    ip -n cloud address add 192.168.1.1/24 dev switch0 &&
    ip -n cloud link set switch0 up &&
    ip -n cloud link set lo up || return
  runs_in_cloud api.log "$tree/build/guest/bin/kube_server" 192.168.1.1:6443 "$node/test/server.crt" "$node/test/server.key" of-the-demo \
    "$tree/manifests/base" "$@"
  within 30 grep -q https api.log || { cat api.log; return 1; }
}

# runs_in_cloud LOG COMMAND...: until the cloud ends.
runs_in_cloud() {
  "${in_cloud[@]}" "${@:2}" >"$1" 2>&1 &
  echo $! >>cloud.pids
}

# administer SCRIPT WORD...: what test/release/SCRIPT does with this node in the cloud.
administer() { "${in_cloud[@]}" /usr/bin/python3 -B "$tree/test/release/$1" "$node" "${@:2}"; }

# Whoever asks for it is answered nothing from here on.
cloud_ends() {
  local pid
  while read -r pid; do kill -KILL "$pid"; done <cloud.pids
  ip -n cloud address flush dev switch0
}

# is_ready PORT: what the program there says of itself.
is_ready() {
  local answer
  exec 3<>"/dev/tcp/127.0.0.1/$1" || return
  printf 'GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
  answer=$(timeout 10 cat <&3)
  exec 3>&-
  [[ $answer == "HTTP/1.1 200"* ]]
} 2>/dev/null
