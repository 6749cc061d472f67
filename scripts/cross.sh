# shellcheck shell=bash
# Programs for arm64 on a machine that is none. All of it happens in a Debian of its own, build/debian_cross: only there does apt
# know of another architecture. Sourced.

# What of the unit tier tells most of a processor where char has no sign: what is read and written byte by byte.
CROSS_TESTS=(base_test bfd_protocol_test cni_test flanneld_lease_test gateway_choice_test ipam_test)

# Of these, what qemu's user mode does otherwise than a kernel (posix_spawn(3) of a program that is not there succeeds), takes
# minutes for, or needs upstream's plugins.
CROSS_LEFT_OUT="a program that cannot be started is told why|power cut after any step|upstream's host-local|ADDs of upstream"
CROSS_LEFT_OUT+="|killed at any step, a retry|full disk at any call|whatever runtimes do"

# Builds the programs, in build/arm64/bin, and makes packages of them and an image of both architectures; tests all of it under
# qemu's user mode. This machine's own packages are what the others are compared with.
run_cross() {
  local own
  own=$(own_architecture)
  ! is_own arm64 || die "this machine is one of arm64: ./run test has the tests of what it builds"
  need_packages cross-test
  run_package --arch="arm64,$own"
  make_image "$HOLDFAST_ROOT/out/cross_image" "arm64 $own" --compression=1
  build_cross arm64-test "${CROSS_TESTS[@]}"
  test_cross
}

need_cross_debian() {
  need_packages image-tools
  make_cross_debian || die "no programs for arm64 without a Debian to build them in"
}

# make_cross_debian: build/debian_cross with the compiler, and the libraries of arm64. Fails, and tells why, where Debian's archive
# cannot be reached.
make_cross_debian() {
  local root=$HOLDFAST_ROOT/build/debian_cross log=$HOLDFAST_ROOT/out/debian_cross.log list
  list=$({ packages_of cross; packages_of cross-libraries; } | cut -d' ' -f1)
  [[ "$(cat "$root/packages" 2>/dev/null)" != "$list" ]] || return 0
  unpack_debian cross "$(own_architecture)" || return 1
  say "and of arm64: $(packages_of cross-libraries | cut -d' ' -f1 | paste -sd' ')"
  # shellcheck disable=SC2046 # names of packages
  as_root chroot "$root" bash -ec "$(declare -f add_arm64); add_arm64 \"\$@\"" - $(packages_of cross-libraries | cut -d' ' -f1) \
    >>"$log" 2>&1 || {
    tail -n 20 "$log"
    warn "run: the libraries of arm64 cannot be installed (all that was said: out/debian_cross.log)"
    return 1
  }
  as_root tee "$root/packages" <<<"$list" >/dev/null
}

# add_arm64 PACKAGE...: installs these of arm64, in a Debian that is nobody's: a chroot, or a container.
add_arm64() {
  dpkg --add-architecture arm64
  apt-get -q update
  DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${@/%/:arm64}"
  apt-get clean
}

in_cross_debian() { as_root "$HOLDFAST_ROOT/scripts/cross_debian.sh" "$@"; }

# build_cross PRESET [TARGET...]
build_cross() {
  local preset=$1 log=out/build-$1.log
  shift
  say "building preset $preset${*:+ ($*)}; what the compiler says: $log"
  { in_cross_debian cmake --preset "$preset" &&
    in_cross_debian cmake --build "build/$preset" --parallel "$(job_count)" --target "${@:-all}"; } >"$HOLDFAST_ROOT/$log" 2>&1 || {
    tail -n 60 "$HOLDFAST_ROOT/$log"
    die "preset $preset does not build (all of it: $log)"
  }
  give_back "$HOLDFAST_ROOT/build/$preset"
}

# A tier that `./run test` does not run: it takes as long to build as all the others.
test_cross() {
  local names
  names=$(printf '%s|' "${CROSS_TESTS[@]}")
  rm -rf "$RESULTS"
  mkdir -p "$RESULTS"
  tap_tier cross 1 "$HOLDFAST_ROOT/scripts/cross_debian.sh" "$HOLDFAST_ROOT/test/cross/arm64.sh"
  tap_tier cross 1 bash "$HOLDFAST_ROOT"/test/cross/{image,packages}.sh
  run_ctest cross-unit "$(preset_dir arm64-test)" in_cross_debian --tests-regex "^(${names%|}):" \
    --exclude-regex "$CROSS_LEFT_OUT" -j "$(job_count)"
  cat "$RESULTS/cross-unit.tsv" >>"$RESULTS/cross.tsv"
  "$HOLDFAST_ROOT/scripts/tally.sh" "$RESULTS" cross
}
