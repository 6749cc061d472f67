# shellcheck shell=bash
# The container image of all programs, with no container engine. Sourced.

# The image as an OCI layout in out/image: a Debian 12 of debootstrap with the packages of the step "image", and the programs; for
# several architectures, an index of these.
#   run_image [--arch=ARCH[,ARCH]]
run_image() {
  local list
  list=$(architectures image "$@")
  make_image "$HOLDFAST_ROOT/out/image" "$list"
}

# make_image OUT ARCHITECTURES [OPTION...]: OPTIONs are oci_image.py's.
make_image() {
  local arch
  local -a bases=()
  need_packages image-tools
  for arch in $2; do
    build_programs "$arch"
    bases+=("$arch=$(debian_path image "$arch").tar")
    make_debian image "$arch" || die "no image for $arch without a base"
  done
  write_image "$1" "${bases[@]}" "${@:3}"
}

# write_image OUT ARCH=BASE_TAR... [OPTION...]: OPTIONs are oci_image.py's.
write_image() {
  local out=$1 tree=$HOLDFAST_ROOT/out/image_tree each digest
  local -a options=()
  shift
  rm -rf "$tree"
  for each in "$@"; do
    if [[ $each == --* ]]; then
      options+=("$each")
    else
      "$HOLDFAST_ROOT/scripts/image_tree.sh" "$(programs_of "${each%%=*}")" "$tree/${each%%=*}"
      options+=(--platform "${each%%=*}" "${each#*=}" "$tree/${each%%=*}")
    fi
  done
  digest=$("$HOLDFAST_ROOT/scripts/oci_image.py" "$out" --epoch "$(source_time)" "${options[@]}")
  rm -rf "$tree"
  say "image $("$HOLDFAST_ROOT/scripts/image_name.py") in ${out#"$HOLDFAST_ROOT"/}: $digest, $(du -sh "$out" | cut -f1)"
}

# When the source was last changed, in seconds since 1970; what is made of the same source bears the same time.
source_time() { echo "${SOURCE_DATE_EPOCH:-$(git -C "$HOLDFAST_ROOT" log -1 --format=%ct 2>/dev/null || echo 0)}"; }
