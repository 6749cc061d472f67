# shellcheck shell=bash
# The plugin on this machine, as scripts/node.sh puts it. Sourced.

# run_install [--dry-run] [back|remove|FLAG...]: builds what is put there, unless nothing is to be done. FLAGs as node.sh take has them.
run_install() {
  local -a dry=() verb=(take "$HOLDFAST_ROOT/build/bin/flannel")
  if [[ ${1-} == --dry-run ]]; then
    dry=("$1")
    shift
  fi
  case ${1---}:$# in
    back:1 | remove:1) verb=("$1") ;;
    --*) verb+=("$@") ;;
    *) die "install takes [--dry-run] [back|remove|FLAG...], got '$*'" ;;
  esac
  if [[ ${verb[0]} == take && ${#dry[@]} -eq 0 ]]; then
    need_packages build
    build_preset release flannel
  fi
  say "on this machine, $(uname -n):"
  as_root bash "$HOLDFAST_ROOT/scripts/node.sh" "${dry[@]}" "${verb[@]}"
}
