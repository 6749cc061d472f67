# shellcheck shell=bash
# Small words that every script here uses. Sourced; sets nothing but functions and HOLDFAST_ROOT.

HOLDFAST_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export HOLDFAST_ROOT

say() { printf '== %s\n' "$*"; }
warn() { printf '%s\n' "$*" >&2; }
die() {
  warn "run: $*"
  exit 1
}

# Builds run in half the memory of a small machine: one job a core.
job_count() { nproc; }

# This machine's, as Debian calls it, and OCI: amd64, arm64.
own_architecture() { dpkg --print-architecture; }
is_own() { [[ $1 == "$(own_architecture)" ]]; }

# Runs a command as root: directly, or by sudo. Says what to do where neither works.
as_root() {
  if [[ $(id -u) -eq 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo -- "$@"
  else
    die "'$1' needs root: run this as root, or install sudo"
  fi
}

# After a step that ran as root, gives its files back to the user who owns the tree.
give_back() {
  [[ $(id -u) -eq 0 ]] || as_root chown -R "$(id -u):$(id -g)" "$@"
}

# chosen WHAT ALL [NAME]: the names in ALL, one a line; or NAME if it is one of them.
chosen() {
  [[ -n $2 ]] || die "there is no $1 in this tree"
  [[ -n ${3-} ]] || { echo "$2"; return; }
  grep -qxF -- "$3" <<<"$2" || die "no $1 '$3'; there are: ${2//$'\n'/ }"
  echo "$3"
}
