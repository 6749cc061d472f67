# shellcheck shell=bash
# Configures and builds the presets of CMakePresets.json. Sourced.

# build_preset PRESET [TARGET...]: configures when that is needed, then builds.
build_preset() {
  local preset=$1 build_dir target
  local -a targets=()
  shift
  for target in "$@"; do
    targets+=(--target "$target")
  done
  build_dir=$(preset_dir "$preset")
  if [[ ! -f $build_dir/build.ninja ]]; then
    (cd "$HOLDFAST_ROOT" && cmake --preset "$preset" >"$HOLDFAST_ROOT/out/configure-$preset.log" 2>&1) || {
      cat "$HOLDFAST_ROOT/out/configure-$preset.log"
      die "preset $preset does not configure"
    }
  fi
  [[ -d $build_dir/bin ]] || say "the first build takes some minutes; what the compiler says: out/build-$preset.log"
  say "building preset $preset${*:+ ($*)}"
  cmake --build "$build_dir" --parallel "$(job_count)" "${targets[@]}" \
    >"$HOLDFAST_ROOT/out/build-$preset.log" 2>&1 || {
    tail -n 60 "$HOLDFAST_ROOT/out/build-$preset.log"
    die "preset $preset does not build (all of it: out/build-$preset.log)"
  }
}

# Where a preset is built; `release` is what people look for, so its programs are in build/bin/.
preset_dir() {
  if [[ $1 == release ]]; then
    echo "$HOLDFAST_ROOT/build"
  else
    echo "$HOLDFAST_ROOT/build/$1"
  fi
}

# run_build [--arch=ARCH[,ARCH]]
run_build() {
  local list arch folder
  list=$(architectures build "$@")
  for arch in $list; do
    build_programs "$arch"
    folder=$(programs_of "$arch")
    say "programs for $arch in ${folder#"$HOLDFAST_ROOT"/}/:"
    find "$folder" -type f -executable -printf '   %f, %k KiB\n' -o -type l -printf '   %f is %l\n' | sort
  done
}

# architectures STEP [--arch=ARCH[,ARCH]]: for which the step is to make what it makes, a line each; this machine's when none is named.
architectures() {
  local own arch
  own=$(own_architecture)
  [[ $# -gt 1 ]] || { echo "$own"; return; }
  [[ $# -eq 2 && $2 == --arch=?* ]] || die "$1 takes --arch=ARCH[,ARCH] or nothing, got '${*:2}'"
  for arch in $(tr , ' ' <<<"${2#--arch=}"); do
    [[ $arch == "$own" || $arch == arm64 ]] || die "on $own nothing is made for '$arch'"
  done
  tr , '\n' <<<"${2#--arch=}" | sort -u
}

# build_programs ARCH: builds all programs, as they are shipped.
build_programs() {
  if is_own "$1"; then
    need_packages build
    build_preset release
  else
    need_cross_debian
    build_cross "$1"
  fi
}

# Where they are then.
programs_of() { echo "$(preset_dir "$(is_own "$1" && echo release || echo "$1")")/bin"; }

# The same as Debian packages: run_package [--arch=ARCH[,ARCH]].
run_package() {
  local list arch
  list=$(architectures package "$@")
  for arch in $list; do
    build_programs "$arch"
    make_packages "$arch"
    say "packages for $arch in out/packages/:"
    find "$HOLDFAST_ROOT/out/packages" -name "*_$arch.deb" -printf '   %f, %k KiB\n' | sort
  done
}

# make_packages ARCH: makes packages of what is built. Those of the other architecture stay.
make_packages() {
  local folder=$HOLDFAST_ROOT/out/packages log=$HOLDFAST_ROOT/out/packages.log
  rm -f "$folder"/*_"$1".deb
  if is_own "$1"; then
    need_packages package
    (cd "$HOLDFAST_ROOT/build" && cpack) >"$log" 2>&1
  else
    # by the libraries of the programs, not by those of the machine that makes the packages
    in_cross_debian env DEB_HOST_ARCH="$1" cpack --config "build/$1/CPackConfig.cmake" >"$log" 2>&1 &&
      give_back "$folder" "$(preset_dir "$1")"
  fi || {
    cat "$log"
    die "the packages for $1 cannot be made"
  }
  rm -rf "$folder/_CPack_Packages"
}

# run_bench [NAME] [--gate]: builds and runs bench_NAME, or all; each prints one JSON line on standard output. With
# --gate those that have bars, and a bar that is missed ends it with status 1.
run_bench() {
  local name names
  local -a gate=()
  if [[ ${!#} == --gate ]]; then
    gate=(--gate)
    set -- "${@:1:$#-1}"
  fi
  [[ $# -le 1 ]] || die "bench takes one name or none, got '$*'"
  names=$(bench_names "${1-}")
  if [[ ${#gate[@]} -ne 0 ]]; then
    names=$(benches_with_bars "$names")
    [[ -n $names ]] || die "the benchmark $1 has no bars"
  fi
  need_packages build bench >&2
  if grep -qx nas <<<"$names"; then
    need_packages kernel >&2
    unpack_packages guest >&2
  fi
  if grep -qxE 'bfd|gateway|gateway_nodes' <<<"$names"; then
    unpack_packages peers >&2
  fi
  mkdir -p "$HOLDFAST_ROOT/out/bench"
  for name in $names; do
    build_preset release >&2
    build_preset bench "bench_$name" >&2
    as_root env HOLDFAST_BIN="$HOLDFAST_ROOT/build/bin" TMPDIR="$HOLDFAST_ROOT/out/bench" \
      "$(preset_dir bench)/bin/bench_$name" "${gate[@]}"
  done
}

# benches_with_bars NAMES: those that take --gate.
benches_with_bars() {
  local name
  for name in $1; do
    grep -qF -- '[--gate]' "$HOLDFAST_ROOT/test/bench/$name/bench_$name".* && echo "$name"
  done
  return 0
}

# bench_names [NAME]: the benchmarks, or NAME if it is one of them.
bench_names() {
  local all
  all=$(find "$HOLDFAST_ROOT/test/bench" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' 2>/dev/null | sort)
  chosen benchmark "$all" "${1-}"
}
