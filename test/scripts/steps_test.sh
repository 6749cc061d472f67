#!/bin/bash
# The arguments of ./run, in a tree that has names and nothing to build: what is refused, and what asks for help only.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failures=0

cp -r "$root/run" "$root/scripts" "$tree"
mkdir -p "$tree"/test/bench/{first,second} "$tree/test/fuzz"
touch "$tree"/test/fuzz/{one,other}_fuzz.cpp "$tree/packages.txt"

# expect STATUS TEXT ARGUMENT...: how ./run ends and what it says, and that it did not begin the step.
expect() {
  local wanted=$1 text=$2 status=0 said
  shift 2
  said=$(timeout 20 "$tree/run" "$@" 2>&1 </dev/null) || status=$?
  [[ $status -eq $wanted && $said == *"$text"* && $said != *"== "* ]] && return
  printf './run %s:\n  wanted: %s, %s\n  got:    %s, %s\n' "$*" "$wanted" "$text" "$status" "$said"
  failures=$((failures + 1))
}

for step in '' demo 'demo pods' test 'test unit' build package image cross install bench 'bench first' lint fuzz 'fuzz one 5'; do
  # shellcheck disable=SC2086 # words of a step
  expect 0 './run demo ' $step --help
done
[[ ! -e $tree/out ]] || { echo "--help made out/"; failures=$((failures + 1)); }
expect 0 'Benchmarks: first second' bench --help
expect 0 'Fuzz targets: one other' fuzz -h
expect 2 "no step 'nonsense'" nonsense
expect 1 "no benchmark 'nonsense'; there are: first second" bench nonsense
expect 1 "bench takes one name or none" bench first second
expect 1 "no fuzz target 'nonsense'; there are: one other" fuzz nonsense 5
expect 1 "fuzz takes a name and seconds" fuzz one 5 6
expect 1 "lint takes --all or nothing, got '--al'" lint --al
expect 1 "lint takes --all or nothing, got 'nonsense'" lint nonsense
for step in build package image; do
  expect 1 "$step takes --arch=ARCH[,ARCH] or nothing, got 'nonsense'" "$step" nonsense
  expect 1 "$step takes --arch=ARCH[,ARCH] or nothing, got '--arch='" "$step" --arch=
  expect 1 "$step takes --arch=ARCH[,ARCH] or nothing, got '--arch=arm64 again'" "$step" --arch=arm64 again
  expect 1 "nothing is made for 'riscv64'" "$step" --arch=arm64,riscv64
done
expect 1 "cross takes no argument, got 'nonsense'" cross nonsense
expect 1 "install takes [--dry-run] [back|remove|FLAG...], got 'again'" install --dry-run again
expect 1 "no test tier 'nonsense'" test nonsense

exit "$((failures > 0))"
