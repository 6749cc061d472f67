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

run_build() {
  need_packages build
  build_preset release
  say "programs in build/bin/:"
  find "$HOLDFAST_ROOT/build/bin" -type f -executable -printf '   %f, %k KiB\n' | sort
}

# run_bench [NAME]: builds and runs bench_NAME, or all; each prints one JSON line on standard output.
run_bench() {
  need_packages build bench >&2
  mkdir -p "$HOLDFAST_ROOT/out/bench"
  local name
  for name in $(chosen_names "$HOLDFAST_ROOT/test/bench" "${1-}"); do
    build_preset release >&2
    build_preset bench "bench_$name" >&2
    as_root env HOLDFAST_BIN="$HOLDFAST_ROOT/build/bin" TMPDIR="$HOLDFAST_ROOT/out/bench" \
      "$(preset_dir bench)/bin/bench_$name"
  done
}

# chosen_names DIR [NAME]: the folders of DIR, or NAME if it is one of them.
chosen_names() {
  local all
  all=$(find "$1" -mindepth 1 -maxdepth 1 -type d ! -name corpus -printf '%f\n' 2>/dev/null | sort)
  [[ -n $all ]] || die "nothing in ${1#"$HOLDFAST_ROOT"/}"
  [[ -n ${2-} ]] || { echo "$all"; return; }
  grep -qxF -- "$2" <<<"$all" || die "no '$2' in ${1#"$HOLDFAST_ROOT"/}; there are: ${all//$'\n'/ }"
  echo "$2"
}
