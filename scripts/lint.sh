# shellcheck shell=bash
# Layout and static checks. Sourced.

# run_lint [--all]: layout, layers and scripts of the whole tree; clang-tidy on changed files, or on all.
run_lint() {
  case $#/${1-} in
    0/ | 1/--all) ;;
    *) die "lint takes --all or nothing, got '$*'" ;;
  esac
  need_packages lint
  mkdir -p "$HOLDFAST_ROOT/out"
  local failed=0
  lint_format || failed=1
  lint_scripts || failed=1
  lint_layers || failed=1
  lint_tidy "${1-}" || failed=1
  [[ $failed -eq 0 ]] || die "lint found something (above)"
  say "lint: nothing found"
}

# Files under version control, or about to be, that match the patterns.
source_files() { (cd "$HOLDFAST_ROOT" && git ls-files --cached --others --exclude-standard -- "$@" | sort -u | existing); }

existing() {
  local file
  while read -r file; do
    [[ ! -f $HOLDFAST_ROOT/$file ]] || echo "$file"
  done
}

lint_format() {
  say "clang-format"
  source_files '*.cpp' '*.h' | (cd "$HOLDFAST_ROOT" && xargs -r clang-format --dry-run --Werror --ferror-limit=1) ||
    { warn "cure: clang-format -i FILE"; return 1; }
}

lint_scripts() {
  say "shellcheck"
  { source_files '*.sh'; echo run; echo .ci/run; } | (cd "$HOLDFAST_ROOT" && xargs shellcheck)
}

lint_layers() {
  say "layers"
  /usr/bin/python3 "$HOLDFAST_ROOT/test/layers/check_layers.py" "$HOLDFAST_ROOT"
}

# The commit that changes are counted from: where this branch left main, or ten commits back.
lint_base() {
  cd "$HOLDFAST_ROOT" || return
  local main base
  for main in origin/main main; do
    base=$(git merge-base "$main" HEAD 2>/dev/null) || continue
    [[ $base == "$(git rev-parse HEAD)" ]] || { echo "$base"; return; }
  done
  git rev-list --max-count=11 HEAD | tail -n 1
}

changed_sources() {
  (cd "$HOLDFAST_ROOT" && git diff --name-only --diff-filter=d "$(lint_base)" -- '*.cpp'
    git ls-files --others --exclude-standard -- '*.cpp') | sort -u
}

# Files that the build knows, out of the list on standard input: a fuzz target is compiled by clang only.
compiled_files() {
  local file
  while read -r file; do
    ! grep -qF "\"$HOLDFAST_ROOT/$file\"" "$(preset_dir dev)/compile_commands.json" || echo "$file"
  done
}

lint_tidy() {
  say "clang-tidy"
  (cd "$HOLDFAST_ROOT" && cmake --preset dev >out/configure-dev.log 2>&1) || { cat "$HOLDFAST_ROOT/out/configure-dev.log"; return 1; }
  if [[ ${1-} == --all ]]; then source_files '*.cpp'; else changed_sources; fi | compiled_files |
    (cd "$HOLDFAST_ROOT" && xargs -r -P "$(job_count)" -n 1 clang-tidy --quiet -p "$(preset_dir dev)" \
      --extra-arg=-Wno-unknown-warning-option 2> >(grep -vE '^[0-9]+ warnings? (generated|treated)' >&2))
}
