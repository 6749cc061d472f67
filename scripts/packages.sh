# shellcheck shell=bash
# Installs the Debian packages of a step, from the one list in packages.txt. Sourced.

# Prints "PACKAGES WHY" for every package of step $1; PACKAGES may be alternatives joined by '|'.
packages_of() {
  awk -v step="$1" '
    /^#/ || NF < 3 { next }
    ("," $2 ",") ~ ("," step ",") { name = $1; $1 = $2 = ""; sub(/^ +/, ""); print name, $0 }
  ' "$HOLDFAST_ROOT/packages.txt"
}

# All installed packages, one a line.
installed_packages() {
  dpkg-query --show --showformat '${db:Status-Abbrev} ${Package}\n' 2>/dev/null | sed -n 's/^ii  *//p'
}

# Prints the lines of packages_of STEP that no installed package serves, the first alternative only.
missing_packages() {
  packages_of "$1" | awk '
    NR == FNR { installed[$1] = 1; next }
    { count = split($1, alternatives, "|"); found = 0
      for (i = 1; i <= count; i++) if (alternatives[i] in installed) found = 1
      if (!found) { $1 = alternatives[1]; print } }
  ' <(installed_packages) -
}

# Installs what the steps given lack. Never removes a package of the user's to make room.
need_packages() {
  local step missing=""
  for step in "$@"; do
    missing+=$(missing_packages "$step")$'\n'
  done
  missing=$(sed '/^$/d' <<<"$missing" | sort -u)
  [[ -n $missing ]] || return 0
  command -v apt-get >/dev/null ||
    die "not a Debian system; install what serves as: $(cut -d' ' -f1 <<<"$missing" | tr '\n' ' ')"
  say "installing Debian packages that are missing:"
  awk '{ name = $1; sub(/^[^ ]+ /, ""); print "   " name ": " $0 }' <<<"$missing"
  local -a names
  mapfile -t names < <(cut -d' ' -f1 <<<"$missing")
  as_root apt-get -qq update
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq install -y --no-install-recommends --no-remove "${names[@]}" >/dev/null
}

# unpack_packages STEP: unpacks the packages of that step into build/STEP_packages: what guests or tests run and this
# machine should not have installed, as daemons that would listen here.
unpack_packages() {
  local folder=$HOLDFAST_ROOT/build/$1_packages
  local -a names
  mapfile -t names < <(packages_of "$1" | cut -d' ' -f1)
  [[ "$(cat "$folder/list" 2>/dev/null)" != "${names[*]}" ]] || return 0
  say "unpacking Debian packages for $1: ${names[*]}"
  rm -rf "$folder"
  mkdir -p "$folder/archives"
  (cd "$folder/archives" && apt-get -qq -o APT::Sandbox::User= download "${names[@]}") ||
    die "cannot download the packages for $1"
  local archive
  for archive in "$folder"/archives/*.deb; do
    dpkg-deb --extract "$archive" "$folder/root"
  done
  rm -rf "$folder/archives"
  echo "${names[*]}" >"$folder/list"
}

# debian_path STEP ARCH: where a Debian 12 for that step and architecture is.
debian_path() { echo "$HOLDFAST_ROOT/build/debian_$1$(is_own "$2" || echo "_$2")"; }

# unpack_debian STEP ARCH: a Debian 12 with the packages of that step and nothing of ours. Fails, and tells why, where its archive
# cannot be reached.
unpack_debian() {
  local root log
  root=$(debian_path "$@") log=out/${root##*/}.log
  local -a made=(debootstrap --variant=minbase --include="$(packages_of "$1" | cut -d' ' -f1 | paste -sd,)" --arch="$2")
  say "unpacking a Debian 12 of its own for $2, with: $(packages_of "$1" | cut -d' ' -f1 | paste -sd' ')"
  as_root rm -rf "$root"
  if is_own "$2"; then
    as_root "${made[@]}" bookworm "$root"
  else
    as_root "${made[@]}" --foreign bookworm "$root" && finish_debian "$root"
  fi >"$HOLDFAST_ROOT/$log" 2>&1 || {
    tail -n 20 "$HOLDFAST_ROOT/$log"
    warn "run: debootstrap made no Debian (all of what it said: $log)"
    return 1
  }
}

# The word container tells debootstrap that it can make no devices there; the first stage has made them.
finish_debian() { as_root "$HOLDFAST_ROOT/scripts/arm64_root.sh" "$1" env container=lxc /debootstrap/debootstrap --second-stage; }

# make_debian STEP ARCH: the same as an archive, $(debian_path STEP ARCH).tar, with the names of its packages beside it: of other packages
# it is made anew.
make_debian() {
  local root tar names
  root=$(debian_path "$@") tar=$root.tar
  names=$(packages_of "$1" | cut -d' ' -f1)
  [[ ! -f $tar || "$(cat "$tar.packages" 2>/dev/null)" != "$names" ]] || return 0
  rm -f "$tar" "$tar.packages"
  unpack_debian "$@" || return 1
  as_root rm -rf "$root"/var/cache/apt/archives "$root"/var/lib/apt/lists
  as_root tar --create --file="$tar.new" --directory="$root" . || return 1
  as_root rm -rf "$root"
  mv "$tar.new" "$tar" && echo "$names" >"$tar.packages"
}
