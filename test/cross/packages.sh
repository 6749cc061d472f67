#!/bin/bash
# Our Debian packages for arm64 on a machine that is none: they are those of this machine's architecture, and in a Debian of arm64, that
# of our image, dpkg installs and removes them under qemu's user mode. No systemd runs there.
source "$(dirname "$0")/../tap.sh"
source "$(dirname "$0")/inside/answers.sh"

tree=$(cd "$(dirname "$0")/../.." && pwd)
work=$tree/out/cross_packages_test
own=$(dpkg --print-architecture)
names=(holdfast-cni holdfast-node holdfast-csi holdfast-gateway)
rm -rf "$work"
mkdir -p "$work/root"
trap 'rm -rf "$work"' EXIT
tar --extract --file="$tree/build/debian_image_arm64.tar" --directory="$work/root"
mkdir "$work/root/packages"
cp "$tree"/out/packages/*_arm64.deb "$work/root/packages"

arm() { "$tree/scripts/arm64_root.sh" "$work/root" "$@"; }

# package NAME ARCH: its file.
package() { echo "$tree/out/packages/$1"_*_"$2".deb; }
field() { dpkg-deb --field "$(package "$1" "$2")" "$3"; }

# Names, rights and owners of what a package installs.
contents() { dpkg-deb --fsys-tarfile "$(package "$1" "$2")" | tar --list --verbose | awk '{ print $1, $2, $6, $7, $8 }'; }

same_fields() {
  local name each
  for name in "${names[@]}"; do
    [[ $(field "$name" arm64 Architecture) == arm64 ]] || return 1
    for each in Package Version Section Maintainer Recommends Suggests Description; do
      diff <(field "$name" "$own" "$each") <(field "$name" arm64 "$each") || return 1
    done
  done
}
same_files() {
  local name
  for name in "${names[@]}"; do
    diff <(contents "$name" "$own") <(contents "$name" arm64) || return 1
  done
}
# Which libraries they are, not their versions: those are what each architecture's symbols ask for.
same_dependencies() {
  local name
  for name in "${names[@]}"; do
    diff <(field "$name" "$own" Depends | tr , '\n' | sed 's/^ *//; s/ (.*//' | sort) \
      <(field "$name" arm64 Depends | tr , '\n' | sed 's/^ *//; s/ (.*//' | sort) || return 1
  done
  [[ $(field holdfast-csi arm64 Depends) == *libc6* ]]
}

installed() {
  mkdir -p "$work/root/opt/cni/bin" && echo "flannel's own" >"$work/root/opt/cni/bin/flannel" &&
    arm sh -ec 'find / -xdev -path /proc -prune -o -type f -print | sort >/packages/before; dpkg --install /packages/*.deb' &&
    [[ -z $(arm dpkg --audit) && $(<"$work/root/opt/cni/bin/flannel.upstream") == "flannel's own" ]]
}
programs_start() {
  # shellcheck disable=SC2016 # for the shell of that Debian
  arm bash -c "$(declare -f answers)"'
    for program in flanneld holdfast csi-node csi-lvm csi-nas csi-disk node-resource-manager egw-helper egw-core egw-access /opt/cni/bin/flannel \
      /usr/lib/holdfast/lvmcmd /usr/lib/holdfast/nascmd /usr/lib/holdfast/nas-directories; do
      answers "$program" || exit
    done'
}
doctor_looks() { [[ $(arm holdfast doctor 2>&1) == *flanneld* ]]; }
units_are_enabled() { arm test -L /etc/systemd/system/multi-user.target.wants/flanneld.service; }
purged() {
  # shellcheck disable=SC2016
  arm sh -ec '
    dpkg --purge "$@"
    find / -xdev -path /proc -prune -o -type f -print | sort >/packages/after
    diff /packages/before /packages/after | grep "^[<>] /\(opt\|etc\|usr\|lib\)/" >/packages/left || true
    cat /packages/left
    ! test -s /packages/left' - "${names[@]}" &&
    [[ $(<"$work/root/opt/cni/bin/flannel") == "flannel's own" ]]
}

plan 8
check "their fields are those of $own, but for the architecture" same_fields
check "their files are those of $own" same_files
check "they depend on the same packages" same_dependencies
check "they install over flannel's own plugin" installed
check "the units are enabled" units_are_enabled
check "the programs start" programs_start
check "holdfast doctor looks at the machine" doctor_looks
check "a purge leaves nothing, and flannel's own plugin" purged
