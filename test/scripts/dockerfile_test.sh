#!/bin/bash
# The Dockerfile, where no container engine builds it: what it copies, sources, runs and installs is there.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=/dev/null
source "$root/scripts/packages.sh"
export HOLDFAST_ROOT=$root

# Its instructions, one a line.
instructions() { sed -e '/^#/d' -e ':more' -e '/\\$/{N;s/\\\n//;b more' -e '}' "$1"; }

# The words behind `COMMAND ` up to what ends them, of all places.
behind() { grep -oE -e "$2[a-zA-Z0-9_./-]+" <<<"$1" | sed "s|^$2||" || true; }

# wrong_in FILE: what is wrong with a Dockerfile, a line each.
wrong_in() {
  local all kind words each stages
  all=$(instructions "$1")
  stages=$(sed -nE 's/^FROM .* AS ([a-z]+)$/\1/p' <<<"$all")
  while read -r kind words; do
    [[ $kind == COPY ]] || continue
    if [[ $words == --from=* ]]; then
      each=${words#--from=}
      grep -qxF -- "${each%% *}" <<<"$stages" || echo "no stage ${each%% *}"
      continue
    fi
    for each in ${words% *}; do
      if grep -qxF -- "${each%/}" "$root/.dockerignore"; then
        echo "$each is not given to docker"
      elif [[ ! -e $root/$each ]]; then
        echo "nothing to copy at $each"
      fi
    done
  done <<<"$all"
  for each in $(behind "$all" '\. '); do
    [[ -e $root/scripts/${each##*scripts/} ]] || echo "no script $each"
  done
  for each in $(behind "$all" '&& '); do
    [[ $each != */* || -x $root/$each ]] || echo "no program $each"
  done
  for each in $(behind "$all" 'need_packages '); do
    [[ -n $(packages_of "$each") ]] || echo "no packages of step $each"
  done
  for each in $(behind "$all" '--preset '); do
    grep -qF "{\"name\": \"$each\"" "$root/CMakePresets.json" || echo "no preset $each"
  done
  [[ $all == *"image.version=\"$(python3 -B "$root/scripts/image_name.py" | cut -d: -f2)\""* ]] || echo "its label tells another version"
}

failures=0
found=$(wrong_in "$root/Dockerfile")
[[ -z $found ]] || { echo "Dockerfile: $found"; failures=1; }

# This test finds what it looks for: s/IN IT/WRONG/ and what is then said.
while IFS='|' read -r change said; do
  found=$(wrong_in <(sed "$change" "$root/Dockerfile"))
  [[ $found == "$said" ]] || { echo "after $change: '$found' instead of '$said'"; failures=1; }
done <<'END'
s/^COPY packages.txt .\/$/COPY package.txt .\//|nothing to copy at package.txt
s/^COPY scripts\/ scripts\/$/COPY build\/ scripts\//|build/ is not given to docker
s/--from=build/--from=built/|no stage built
s/image_tree.sh build\/bin/image_three.sh build\/bin/|no program scripts/image_three.sh
s/need_packages image/need_packages images/|no packages of step images
s/need_packages cross/need_packages crosses/|no packages of step crosses
s/--preset release/--preset released/|no preset released
s/--preset arm64/--preset arm/|no preset arm
s/image.version="/image.version="7/|its label tells another version
s/\/packages.sh; need_packages image/\/package.sh; need_packages image/|no script /tmp/source/scripts/package.sh
END
exit "$failures"
