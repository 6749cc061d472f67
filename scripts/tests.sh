# shellcheck shell=bash
# The test tiers. Each tier leaves one file out/results/TIER.tsv, a line a test: pass|unsteady|fail|skip TAB NAME.
# What is printed at the end and the exit status come from these files alone. Sourced.

RESULTS=$HOLDFAST_ROOT/out/results
# So many tests of a tier that failed are tried once more, alone: on a busy machine one may be late without the
# programs being wrong. More of them are no accident. Who passes the second time is named (scripts/second_try.sh).
MOST_SECOND_TRIES=3
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

# The same programs against this machine's kernel, each test in network namespaces of its own. ASan and UBSan. They wait for
# timers of protocols more than they work, so one more than there are cores runs at a time.
tier_netns() {
  unpack_packages peers
  build_preset asan
  ctest_tier netns asan netns as_root "$(($(job_count) + 1))"
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

# What is shipped: the programs of build/bin as they are, packages of them in a Debian of their own, and the demo.
tier_release() {
  need_packages demo package
  unpack_packages guest
  unpack_packages peers
  make_debian root "$(own_architecture)" || true  # the test of packages then says that it skips
  unpack_kube_tools || true  # and so do those of manifests that need kubectl or helm
  build_preset release
  build_preset guest kube_server
  make_packages "$(own_architecture)"
  local -a scripts
  mapfile -t scripts < <(with_first "packages cluster_node cluster_node_volumes demo gateway_faults gateway_recovery applied cluster" "$HOLDFAST_ROOT"/test/release/*.sh)
  tap_tier release "$(job_count)" bash "${scripts[@]}"
}

# Guests with kernels of their own: features that this kernel may lack, and power loss.
tier_kernel() {
  need_packages kernel
  unpack_packages guest
  build_preset release
  build_preset guest syscall_killer guest_tests
  local -a scripts
  mapfile -t scripts < <(with_first "csi_nas_outages lvm csi_disk_node csi_lvm" "$HOLDFAST_ROOT"/test/kernel/{guest,lab}/*.sh)
  tap_tier kernel "$(job_count)" "$HOLDFAST_ROOT/test/kernel/run_test.sh" "${scripts[@]}"
}

# with_first NAMES SCRIPT...: the scripts, a line each, those of NAMES before all others: what takes longest begins first, so that at the
# end no core waits for it.
with_first() {
  printf '%s\n' "${@:2}" | awk -v names="$1" '
    BEGIN { count = split(names, order, " ") }
    { name = $0; sub(/.*\//, "", name); sub(/\.sh$/, "", name); script[name] = $0; rest[NR] = name }
    END { for (i = 1; i <= count; i++) if (order[i] in script) { print script[order[i]]; delete script[order[i]] }
          for (i = 1; i <= NR; i++) if (rest[i] in script) print script[rest[i]] }'
}

# ctest_tier TIER PRESET LABEL [as_root]|'' [JOBS]: runs what ctest has under LABEL, JOBS at a time or as many as there are cores.
ctest_tier() {
  local tier=$1 dir
  dir=$(preset_dir "$2")
  say "tier $tier"
  run_ctest "$tier" "$dir" "${4-}" -L "^($3)\$" -j "${5-$(job_count)}"
  if try_again "$(grep -c '^fail' "$RESULTS/$tier.tsv")"; then
    run_ctest "$tier-again" "$dir" "${4-}" --rerun-failed
    take_second_try some "$RESULTS/$tier.tsv" "$RESULTS/$tier-again.tsv"
  fi
}

# run_ctest NAME DIR [as_root]|'' OPTION...: leaves the results in NAME.tsv.
run_ctest() {
  local log=$RESULTS/$1.log xml=$RESULTS/$1.xml dir=$2 root=$3
  shift 3
  local -a limits=(HOLDFAST_BIN="$HOLDFAST_ROOT/build/bin"
    ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1
    TSAN_OPTIONS=halt_on_error=1)
  $root env "${limits[@]}" ctest --test-dir "$dir" "$@" --timeout 120 --output-on-failure \
    --output-junit "$xml" >"$log" 2>&1 || print_failures "$log"
  ${root:+give_back "$RESULTS" "$dir"}
  /usr/bin/python3 "$HOLDFAST_ROOT/scripts/junit_results.py" "$xml" >"${xml%.xml}.tsv"
}

# try_again COUNT: whether so many failures are tried a second time; says so.
try_again() {
  (($1 > 0 && $1 <= MOST_SECOND_TRIES)) || return 1
  say "$1 failed: once more, alone"
}

# take_second_try some|all FIRST SECOND: FIRST becomes what counts (scripts/second_try.sh), SECOND goes.
take_second_try() {
  "$HOLDFAST_ROOT/scripts/second_try.sh" "$@" >"$2.joined"
  mv "$2.joined" "$2"
  rm "$3"
}

# What ctest printed of the tests that failed; of a long log the end.
print_failures() {
  grep -vE '^ *(Start +[0-9]+:|[0-9]+/[0-9]+ Test .* Passed )' "$1" | tail -n 400
}

# tap_tier TIER JOBS RUNNER SCRIPT...: runs the scripts, JOBS at a time; RUNNER takes one, and a folder to leave
# things in.
tap_tier() {
  local tier=$1 runner=$3 script part
  say "tier $tier"
  run_scripts "$RESULTS/$tier" "${@:2}"
  local -a failed=()
  for script in "${@:4}"; do
    part=$(part_of "$tier" "$script")
    [[ -f $part ]] || die "$script left no results"
    if grep -q '^fail' "$part"; then failed+=("$script"); fi
  done
  if try_again "${#failed[@]}"; then
    for script in "${failed[@]}"; do
      part=$(part_of "$tier" "$script")
      mv "$part" "$part.first"
      mv "${part%.part}.log" "${part%.part}.first.log"
      run_scripts "$RESULTS/$tier" 1 "$runner" "$script"
      take_second_try all "$part.first" "$part"
      mv "$part.first" "$part"
    done
  fi
  cat "$RESULTS/$tier"-*.part >"$RESULTS/$tier.tsv" || die "tier $tier left no results"
}

# part_of TIER SCRIPT: where the result lines of a script are.
part_of() { echo "$RESULTS/$1-$(basename "$2" .sh).part"; }

# run_scripts PREFIX JOBS RUNNER SCRIPT...: ends with them when this script is killed.
run_scripts() {
  local prefix=$1 jobs=$2 runner=$3
  shift 3
  printf '%s\0' "$@" | as_root setpriv --pdeathsig KILL xargs -0 -n 1 -P "$jobs" \
    setpriv --pdeathsig KILL "$HOLDFAST_ROOT/scripts/tap_script.sh" "$prefix" "$runner"
  give_back "$RESULTS"
}
