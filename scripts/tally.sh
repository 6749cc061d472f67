#!/bin/bash
# Adds up test results and decides whether a run passed.
#   tally.sh DIR TIER...      reads DIR/TIER.tsv, lines of pass|unsteady|fail|skip TAB NAME
# Fails when a test failed, when a tier has no results, or when fewer tests than test/minimum.txt asks for were
# executed in a tier. The last line is always "N passed, N failed[, N skipped]".
set -euo pipefail

minimum=${HOLDFAST_MINIMUM:-$(dirname "$0")/../test/minimum.txt}
dir=$1
shift
passed=0 failed=0 skipped=0

count() { grep -c "^\($2\)"$'\t' "$1" || true; }

# Prints the tests of kind $2 in file $1, with their tier $3.
name_them() { sed -n "s/^$2\t/   $2 $3: /p" "$1"; }

# One tier's line; a tier that ran too little counts as one failed test more.
tally_tier() {
  local tier=$1 file=$dir/$1.tsv ok bad out least note=""
  [[ -f $file ]] || : >"$file"
  ok=$(count "$file" 'pass\|unsteady') bad=$(count "$file" fail) out=$(count "$file" skip)
  least=$(awk -v tier="$tier" '$1 == tier { print $2 }' "$minimum")
  if ((ok + bad < ${least:-1})); then
    note=" -- at least ${least:-1} must be executed (test/minimum.txt)"
    bad=$((bad + 1))
  fi
  printf '   %-11s %5d passed %4d failed %4d skipped%s\n' "$tier" "$ok" "$bad" "$out" "$note"
  passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + out))
}

echo "== summary"
for tier in "$@"; do
  tally_tier "$tier"
done
for tier in "$@"; do
  name_them "$dir/$tier.tsv" skip "$tier"
  name_them "$dir/$tier.tsv" unsteady "$tier"
  name_them "$dir/$tier.tsv" fail "$tier"
done
printf '%d passed, %d failed' "$passed" "$failed"
((skipped == 0)) || printf ', %d skipped' "$skipped"
echo
((failed == 0 && passed > 0))
