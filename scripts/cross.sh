# shellcheck shell=bash
# The programs that a node of the network runs, for arm64, on a machine that is none. All of it happens in a Debian of its own,
# build/debian_cross: only there does apt know of another architecture. Sourced.

CROSS_PROGRAMS=(flannel flanneld egw-helper)
# What of the unit tier tells most of a processor where char has no sign: what is read and written byte by byte.
CROSS_TESTS=(base_test bfd_protocol_test cni_test flanneld_lease_test gateway_choice_test ipam_test)

# Of these, what qemu's user mode does otherwise than a kernel (posix_spawn(3) of a program that is not there succeeds), takes
# minutes for, or needs upstream's plugins.
CROSS_LEFT_OUT="a program that cannot be started is told why|power cut after any step|upstream's host-local|ADDs of upstream"

# Builds the programs, in build/arm64/bin, and tests them under qemu's user mode.
run_cross() {
  need_packages image-tools
  make_cross_debian || die "no programs for arm64 without a Debian to build them in"
  build_cross "${CROSS_PROGRAMS[@]}" "${CROSS_TESTS[@]}"
  say "programs for arm64 in build/arm64/bin/:"
  find "${CROSS_PROGRAMS[@]/#/$HOLDFAST_ROOT/build/arm64/bin/}" -printf '   %f, %k KiB\n'
  test_cross
}

# make_cross_debian: build/debian_cross with the compiler, and the libraries of arm64. Fails, and tells why, where Debian's archive
# cannot be reached.
make_cross_debian() {
  local root=$HOLDFAST_ROOT/build/debian_cross log=$HOLDFAST_ROOT/out/debian_cross.log list
  local -a libraries
  list=$({ packages_of cross; packages_of cross-libraries; } | cut -d' ' -f1)
  [[ "$(cat "$root/packages" 2>/dev/null)" != "$list" ]] || return 0
  unpack_debian cross || return 1
  mapfile -t libraries < <(packages_of cross-libraries | awk '{ print $1 ":arm64" }')
  say "and of arm64: ${libraries[*]}"
  as_root chroot "$root" bash -ec 'dpkg --add-architecture arm64 && apt-get -q update &&
    DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "$@" && apt-get clean' - "${libraries[@]}" \
    >>"$log" 2>&1 || {
    tail -n 20 "$log"
    warn "run: the libraries of arm64 cannot be installed (all that was said: out/debian_cross.log)"
    return 1
  }
  as_root tee "$root/packages" <<<"$list" >/dev/null
}

in_cross_debian() { as_root "$HOLDFAST_ROOT/scripts/cross_debian.sh" "$@"; }

# build_cross TARGET...
build_cross() {
  local log=$HOLDFAST_ROOT/out/build-arm64.log
  say "building preset arm64 ($*); what the compiler says: out/build-arm64.log"
  { in_cross_debian cmake --preset arm64 && in_cross_debian cmake --build build/arm64 --parallel "$(job_count)" --target "$@"; } \
    >"$log" 2>&1 || {
    tail -n 60 "$log"
    die "preset arm64 does not build (all of it: out/build-arm64.log)"
  }
  give_back "$HOLDFAST_ROOT/build/arm64"
}

# A tier that `./run test` does not run: it takes as long to build as all the others.
test_cross() {
  local names
  names=$(printf '%s|' "${CROSS_TESTS[@]}")
  rm -rf "$RESULTS"
  mkdir -p "$RESULTS"
  tap_tier cross 1 "$HOLDFAST_ROOT/scripts/cross_debian.sh" "$HOLDFAST_ROOT"/test/cross/*.sh
  run_ctest cross-unit "$(preset_dir arm64)" in_cross_debian --tests-regex "^(${names%|}):" \
    --exclude-regex "$CROSS_LEFT_OUT" -j "$(job_count)"
  cat "$RESULTS/cross-unit.tsv" >>"$RESULTS/cross.tsv"
  "$HOLDFAST_ROOT/scripts/tally.sh" "$RESULTS" cross
}
