#!/bin/bash
# The image of both architectures, and what it is for arm64, on a machine that is none: qemu's user mode runs its programs in its own
# root file system.
source "$(dirname "$0")/../tap.sh"
source "$(dirname "$0")/../containerd.sh"
source "$(dirname "$0")/inside/answers.sh"

tree=$(cd "$(dirname "$0")/../.." && pwd)
layout=$tree/out/cross_image
work=$tree/out/cross_image_test
own=$(dpkg --print-architecture)
rm -rf "$work"
mkdir -p "$work"
trap 'rm -rf "$work"' EXIT

image() { /usr/bin/python3 -B "$tree/test/release/image.py" "$@"; }
arm() { "$tree/scripts/arm64_root.sh" "$work/arm64" "$@"; }

unpacked() { image unpack "$layout" "$work/$1" "$1" && image machine "$work/$1" "$1"; }

# What of ours the image has.
programs_answer() {
  local -a programs
  mapfile -t programs < <(ls "$tree/build/arm64/bin")
  # shellcheck disable=SC2016 # for the shell of the image
  arm bash -c "$(declare -f answers)"'
    for program in "$@"; do
      [[ ! -e /usr/bin/$program ]] || answers "$program" || exit
    done
    answers /opt/cni/bin/flannel' - "${programs[@]}"
}

# What Debian's packages have done at their installation, and what they start.
base_is_set_up() {
  # shellcheck disable=SC2016
  arm bash -ec '
    [[ -z $(dpkg --audit) && $(dpkg --print-architecture) == arm64 && -s /etc/ssl/certs/ca-certificates.crt ]]
    # qemu hands on no sockets of nf_tables, so that one is not started
    [[ $(readlink -f /usr/sbin/iptables) == */xtables-nft-multi && $(iptables-legacy --version) == *legacy* ]]
    for each in "lvm help" "mkfs.ext4 -V" "mkfs.xfs -V" "thin_check --version" "cryptsetup --version" "wireguard-go --version"; do
      $each >/tmp/said 2>&1 || { echo "$each:"; cat /tmp/said; exit 1; }
    done'
}

# exported ARCH: to WORK/ARCH.tar; fails when containerd lacks something of it.
exported() { images export --platform "linux/$1" "$work/$1.tar" "$("$tree/scripts/image_name.py")"; }
# has_platform ARCH: containerd has the image of it, whole.
has_platform() {
  exported "$1" && mkdir "$work/exported-$1" && tar --extract --file="$work/$1.tar" --directory="$work/exported-$1" &&
    image unpack "$work/exported-$1" "$work/exported-root" "$1" && image machine "$work/exported-root" "$1"
}
both_are_imported() {
  tar --create --directory="$layout" . | images import --all-platforms --no-unpack - &&
    [[ $(images ls --quiet) == "$("$tree/scripts/image_name.py")" ]] && has_platform arm64 && has_platform "$own"
}

# As a node does it, which unpacks what is for it, and keeps no more.
node_takes_its_own() {
  tar --create --directory="$layout" . | images import --snapshotter native - &&
    cmp "$containerd_folder"/root/io.containerd.snapshotter.v1.native/snapshots/*/usr/bin/flanneld "$tree/build/bin/flanneld" &&
    exported "$own" && within 30 fails exported arm64
}

plan 9
check "for arm64 it is of arm64, to the last library" unpacked arm64
check "for $own it is of $own" unpacked "$own"
check "it has what the manifests run" image manifests "$work/arm64"
check "Debian's packages in it are set up, and their programs run" base_is_set_up
check "its programs find their libraries" image libraries "$work/arm64" "$tree/scripts/arm64_root.sh"
check "its programs tell what they are" programs_answer
check "simulations are left out" eval '! ls "$work/arm64/usr/bin" | grep -- "-sim$"'
check "containerd has both of it when it is asked to keep both, by the name that manifests ask for" \
  with_containerd "$work/containerd" both_are_imported
check "a node unpacks and keeps what is for it" with_containerd "$work/node" node_takes_its_own
