#!/bin/bash
# Our image: written twice, unpacked as a container engine does, and its programs started by runc. Its base is here the Debian
# that packages are tested in, as making another takes minutes.
source "$(dirname "$0")/../tap.sh"
source "$(dirname "$0")/../containerd.sh"

tree=$(cd "$(dirname "$0")/../.." && pwd)
work=$tree/out/image_test
image() { /usr/bin/python3 -B "$tree/test/release/image.py" "$@"; }

if [[ ! -f $tree/build/debian_root.tar ]]; then
  plan 1
  echo "ok the image's programs run # SKIP no Debian could be made to put them on"
  exit
fi
rm -rf "$work"
mkdir -p "$work"
trap 'rm -rf "$work"' EXIT

# write NAME: as ./run image does, with less time for compression.
write() {
  bash -ec ". '$tree/scripts/common.sh'; . '$tree/scripts/build.sh'; . '$tree/scripts/image.sh'
    write_image '$work/$1' \"\$(own_architecture)=$tree/build/debian_root.tar\" --compression=1"
}

written_alike() { write one && write two && diff -r "$work/one" "$work/two"; }

# in_container COMMAND...: by runc, with no network.
in_container() {
  local words
  words=$(printf '"%s",' "$@")
  cat >"$work/config.json" <<END
{"ociVersion": "1.0.2", "root": {"path": "root", "readonly": true}, "hostname": "edge-1",
 "process": {"args": [${words%,}], "cwd": "/", "user": {"uid": 0, "gid": 0}, "noNewPrivileges": true,
             "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]},
 "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}, {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}],
 "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}]}}
END
  runc --root "$work/runc" run --bundle "$work" "holdfast-image-$$"
}

says_version() { [[ $(in_container "$1" --version 2>&1) == *"$(sed -n 's/^project(holdfast VERSION \([0-9.]*\).*/\1/p' "$tree/CMakeLists.txt")"* ]]; }

# Unpacks nothing.
imported_by_its_name() {
  tar --create --directory="$work/one" . | images import --no-unpack - && [[ $(images ls --quiet) == "$("$tree/scripts/image_name.py")" ]]
}

# Where there is nothing else.
runs_on_a_node() {
  local node=$work/node
  mkdir -p "$node/bin" "$node/opt" &&
    cp "$(command -v busybox)" "$node/bin" && ln -s busybox "$node/bin/sh" && ln -s busybox "$node/bin/readlink" &&
    cp -r "$work/containers/flannel-kube-flannel-ds/volumes/holdfast" "$node/opt" &&
    chroot "$node" /opt/holdfast/bin/holdfast --version
}

plan 11
check "the same programs make the same image" written_alike
check "it can be unpacked as it says" image unpack "$work/one" "$work/root" "$(dpkg --print-architecture)"
check "a node has it by the name that manifests ask for once it was imported" \
  with_containerd "$work/containerd" imported_by_its_name
check "it has what the manifests run" image manifests "$work/root"
check "its programs find their libraries" image libraries "$work/root" chroot
check "flanneld runs in it" says_version flanneld
check "the plugin runs in it" eval '[[ $(in_container /opt/cni/bin/flannel --version 2>&1) == *flannel* ]]'
check "csi-node runs in it, and each of its drivers" eval \
  'in_container sh -ec "for each in csi-node csi-lvm csi-nas csi-disk; do \$each --help >/tmp/said; grep -q mode /tmp/said || grep -q profile /tmp/said; done"'
check "every container of a cluster starts in it, with the rights and folders that its manifest asks for, and lives" \
  /usr/bin/python3 -B "$tree/test/release/containers.py" "$work/root" "$work/containers"
check "\`holdfast\`, as flanneld's first container leaves it on a node, runs there by libraries of its own" runs_on_a_node
check "simulations are left out" eval '[[ -e $work/root/usr/bin/flanneld ]] && ! ls "$work/root/usr/bin" | grep -- "-sim$"'
