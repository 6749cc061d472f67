#!/bin/bash
# When the archive of a Debian is kept, and when it is made anew. What debootstrap would unpack is a folder with a file here.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
for part in common packages; do
  # shellcheck source=/dev/null
  source "$root/scripts/$part.sh"
done
HOLDFAST_ROOT=$(mktemp -d)
trap 'rm -rf "$HOLDFAST_ROOT"' EXIT
mkdir "$HOLDFAST_ROOT/build"
archive=$HOLDFAST_ROOT/build/debian_image_other.tar
failures=0

reachable=true
# shellcheck disable=SC2317 # called by make_debian
as_root() { "$@"; }
# shellcheck disable=SC2317
unpack_debian() {
  local folder
  folder=$(debian_path "$@")
  mkdir "$folder"
  packages_of "$1" >"$folder/list"
  $reachable
}

# expect STATUS FIRST_LINE WHAT: how make_debian ends, and what its archive begins with; nothing is there without an archive.
expect() {
  local status=0 first
  make_debian image other || status=$?
  first=$(tar --extract --to-stdout --file="$archive" ./list 2>/dev/null | head -n 1) || true
  [[ $status != "$1" || $first != "$2" ]] || return 0
  echo "$3: status $status, '$first'"
  failures=1
}

echo "lvm2  image  volumes" >"$HOLDFAST_ROOT/packages.txt"
expect 0 "lvm2 volumes" "made"
echo "lvm2  image  said otherwise" >"$HOLDFAST_ROOT/packages.txt"
expect 0 "lvm2 volumes" "kept"
echo "kmod  image  modules" >>"$HOLDFAST_ROOT/packages.txt"
expect 0 "lvm2 said otherwise" "made anew with another package"
rm -f "$archive.packages"
echo "lvm2  image,root  volumes" >"$HOLDFAST_ROOT/packages.txt"
expect 0 "lvm2 volumes" "made anew where nothing tells of what it is"
echo "e2fsprogs  image  file systems" >"$HOLDFAST_ROOT/packages.txt"
reachable=false
expect 1 "" "no archive of other packages is left where none can be made"
[[ ! -e $archive.packages ]] || { echo "names without an archive"; failures=1; }
exit "$failures"
