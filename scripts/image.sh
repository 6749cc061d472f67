# shellcheck shell=bash
# The container image of all programs, with no container engine. Sourced.

# The image as an OCI layout in out/image: a Debian 12 of debootstrap with the packages of the step "image", and the programs.
run_image() {
  need_packages build
  need_packages image-tools
  make_debian image || die "no image without a base"
  build_preset release
  write_image "$HOLDFAST_ROOT/build/debian_image.tar" "$HOLDFAST_ROOT/out/image"
}

# write_image BASE_TAR OUT [OPTION...]: OPTIONs are oci_image.py's.
write_image() {
  local tree=$HOLDFAST_ROOT/out/image_tree digest
  rm -rf "$tree"
  "$HOLDFAST_ROOT/scripts/image_tree.sh" "$HOLDFAST_ROOT/build/bin" "$tree"
  digest=$("$HOLDFAST_ROOT/scripts/oci_image.py" "$2" --base "$1" --tree "$tree" \
    --architecture "$(dpkg --print-architecture)" --epoch "$(source_time)" "${@:3}")
  rm -rf "$tree"
  say "image $("$HOLDFAST_ROOT/scripts/image_name.py") in ${2#"$HOLDFAST_ROOT"/}: $digest, $(du -sh "$2" | cut -f1)"
}

# When the source was last changed, in seconds since 1970; what is made of the same source bears the same time.
source_time() { echo "${SOURCE_DATE_EPOCH:-$(git -C "$HOLDFAST_ROOT" log -1 --format=%ct 2>/dev/null || echo 0)}"; }
