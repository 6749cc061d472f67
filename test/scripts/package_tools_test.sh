#!/bin/bash
# What our image has beside our programs, our Debian packages ask for: on both, programs start the same.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=/dev/null
source "$root/scripts/packages.sh"
export HOLDFAST_ROOT=$root

# not_asked_for FILE: packages of the image that no package of ours depends on or recommends. Libraries are found by dpkg-shlibdeps, kmod
# comes with Debian's kernels.
not_asked_for() {
  local asked name
  asked=$(tr '\n' ' ' <"$1" | grep -oE '_PACKAGE_(DEPENDS|RECOMMENDS) +"[^"]*"' | cut -d'"' -f2 | tr ',|' '\n' | tr -d ' ')
  for name in $(packages_of image | cut -d' ' -f1 | grep -vE '^(lib.*|kmod)$'); do
    grep -qxF -- "$name" <<<"$asked" || echo "$name"
  done
}

failures=0
found=$(not_asked_for "$root/packaging/CMakeLists.txt")
[[ -z $found ]] || { echo "no package of ours asks for: $found"; failures=1; }
for name in dosfstools iptables; do
  found=$(not_asked_for <(sed "s/\\b$name\\b/gone/" "$root/packaging/CMakeLists.txt"))
  [[ $found == "$name" ]] || { echo "without $name: '$found'"; failures=1; }
done
exit "$failures"
