# shellcheck shell=bash
# The test tiers. Each tier leaves one file out/results/TIER.tsv, a line a test: pass|fail|skip TAB NAME.
# What is printed at the end and the exit status come from these files alone. Sourced.

RESULTS=$HOLDFAST_ROOT/out/results
ALL_TIERS=(unit netns mounts concurrent release kernel)

# run_tests [TIER...]
run_tests() {
  local tier
  local -a tiers=("$@")
  [[ ${#tiers[@]} -gt 0 ]] || tiers=("${ALL_TIERS[@]}")
  for tier in "${tiers[@]}"; do
    declare -F "tier_$tier" >/dev/null || die "no test tier '$tier'; there are: ${ALL_TIERS[*]}"
  done
  rm -rf "$RESULTS"
  mkdir -p "$RESULTS"
  need_packages build test
  for tier in "${tiers[@]}"; do
    "tier_$tier"
  done
  "$HOLDFAST_ROOT/scripts/tally.sh" "$RESULTS" "${tiers[@]}"
}

# Library code with fakes, and the checks of the source tree; no root, no kernel. ASan and UBSan.
tier_unit() {
  build_preset asan
  ctest_tier unit asan unit
}

# The same programs against this machine's kernel, each test in network namespaces of its own. ASan and UBSan.
tier_netns() {
  build_preset asan
  ctest_tier netns asan netns as_root
}

# The same, each test in a mount namespace of its own, on disks of its own (loop devices over files in memory).
tier_mounts() {
  build_preset asan
  ctest_tier mounts asan mounts as_root
}

# Test programs marked CONCURRENT, under TSan.
tier_concurrent() {
  build_preset tsan concurrent_tests
  ctest_tier concurrent tsan '.*' as_root
}

# What is shipped: the programs of build/bin as they are, and the demo.
tier_release() {
  need_packages demo
  unpack_guest_packages
  build_preset release
  tap_tier release 1 bash "$HOLDFAST_ROOT"/test/release/*.sh
}

# Guests with kernels of their own: features that this kernel may lack, and power loss.
tier_kernel() {
  need_packages kernel
  unpack_guest_packages
  build_preset release
  build_preset guest syscall_killer guest_tests
  tap_tier kernel "$(job_count)" "$HOLDFAST_ROOT/test/kernel/run_test.sh" "$HOLDFAST_ROOT"/test/kernel/{guest,lab}/*.sh
}

# ctest_tier TIER PRESET LABEL [as_root]: runs what ctest has under LABEL.
ctest_tier() {
  local tier=$1 dir
  dir=$(preset_dir "$2")
  say "tier $tier"
  local -a limits=(HOLDFAST_BIN="$HOLDFAST_ROOT/build/bin"
    ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1
    TSAN_OPTIONS=halt_on_error=1)
  ${4-} env "${limits[@]}" ctest --test-dir "$dir" -L "^($3)\$" -j "$(job_count)" --timeout 120 --output-on-failure \
    --output-junit "$RESULTS/$tier.xml" >"$RESULTS/$tier.log" 2>&1 || print_failures "$RESULTS/$tier.log"
  ${4:+give_back "$RESULTS" "$dir"}
  /usr/bin/python3 "$HOLDFAST_ROOT/scripts/junit_results.py" "$RESULTS/$tier.xml" >"$RESULTS/$tier.tsv"
}

# What ctest printed of the tests that failed; of a long log the end.
print_failures() {
  grep -vE '^ *(Start +[0-9]+:|[0-9]+/[0-9]+ Test .* Passed )' "$1" | tail -n 400
}

# tap_tier TIER JOBS RUNNER SCRIPT...: runs the scripts, JOBS at a time; RUNNER takes one, and a folder to leave
# things in. Ends with them when this script is killed.
tap_tier() {
  local tier=$1 jobs=$2 runner=$3
  shift 3
  say "tier $tier"
  printf '%s\0' "$@" | as_root setpriv --pdeathsig KILL xargs -0 -n 1 -P "$jobs" \
    setpriv --pdeathsig KILL "$HOLDFAST_ROOT/scripts/tap_script.sh" "$RESULTS/$tier" "$runner"
  give_back "$RESULTS"
  cat "$RESULTS/$tier"-*.part >"$RESULTS/$tier.tsv" || die "tier $tier left no results"
}
