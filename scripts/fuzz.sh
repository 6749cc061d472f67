# shellcheck shell=bash
# Runs the libFuzzer targets. Sourced.

# run_fuzz [NAME] [SECONDS]: one target, or all, two at a time. What is found is left in out/fuzz/NAME/.
run_fuzz() {
  local name="" seconds=60
  case $#/${1-} in
    0/*) ;;
    1/[0-9]*) seconds=$1 ;;
    *) name=$1 seconds=${2:-60} ;;
  esac
  [[ $seconds =~ ^[1-9][0-9]*$ ]] || die "fuzz: '$seconds' is not a number of seconds"
  [[ $# -le 2 ]] || die "fuzz takes a name and seconds, got '$*'"
  local names
  names=$(fuzz_targets "$name")
  need_packages build fuzz
  mkdir -p "$HOLDFAST_ROOT/out/fuzz"
  build_preset fuzz
  export -f fuzz_one
  xargs -P 2 -I{} bash -c 'fuzz_one "$@"' _ {} "$seconds" <<<"$names" || die "a fuzz target failed; its input is in out/fuzz/"
  say "no target failed"
}

# fuzz_targets [NAME]: the targets, or NAME if it is one, from their sources test/fuzz/NAME_fuzz.cpp.
fuzz_targets() {
  local all
  all=$(find "$HOLDFAST_ROOT/test/fuzz" -name '*_fuzz.cpp' -printf '%f\n' 2>/dev/null | sed 's/_fuzz\.cpp$//' | sort)
  chosen "fuzz target" "$all" "${1-}"
}

# fuzz_one NAME SECONDS: new inputs go to out/, the corpus in test/fuzz/corpus is only read.
fuzz_one() {
  local found=$HOLDFAST_ROOT/out/fuzz/$1
  mkdir -p "$found/new" "$HOLDFAST_ROOT/test/fuzz/corpus/$1"
  if "$HOLDFAST_ROOT/build/fuzz/bin/$1_fuzz" -max_total_time="$2" -timeout=60 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$found/" "$found/new" "$HOLDFAST_ROOT/test/fuzz/corpus/$1" >"$found/log" 2>&1; then
    echo "   $1: $(sed -n 's/^stat::number_of_executed_units: *//p' "$found/log") inputs in $2 s, none failed"
  else
    echo "   $1: FAILED, see out/fuzz/$1/log"
    tail -n 40 "$found/log"
    return 1
  fi
}
