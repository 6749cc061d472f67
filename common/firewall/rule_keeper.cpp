#include "common/firewall/rule_keeper.h"

#include <algorithm>
#include <utility>

#include "common/base/first_error.h"

namespace holdfast::firewall {
namespace {

bool is_empty(const RuleSet& set) {
  return std::ranges::none_of(set.chains, [](const Chain& chain) { return chain.wanted; });
}

}  // namespace

Status RuleKeeper::put(const RuleSet& set, Look& out) {
  Firewall& firewall = *chosen_->firewall;
  const bool known = std::ranges::find(put_, set) != put_.end();
  const auto note = [&] {
    std::erase_if(put_, [&](const RuleSet& before) { return before.family == set.family; });
    put_.push_back(set);
  };
  if (is_empty(set)) {
    if (known) return {};
    HOLDFAST_CHECK(firewall.clean(set));
    note();
    return {};
  }
  HOLDFAST_TRY(const bool whole, firewall.is_whole(set));
  if (!whole) {
    if (known) ++out.mended;
    HOLDFAST_CHECK(firewall.put(set));
  }
  note();
  HOLDFAST_TRY(const auto counts, firewall.read_counts(set));
  for (std::size_t chain = 0; chain < counts.size(); ++chain) {
    for (std::size_t rule = 0; rule < counts[chain].size(); ++rule) {
      if (set.chains[chain].rules[rule].counted) out.refused += counts[chain][rule].packets;
    }
  }
  return {};
}

Status RuleKeeper::put_all(const std::vector<RuleSet>& sets, Look& out) {
  FirstError first;
  for (const RuleSet& set : sets) first.add(put(set, out));
  HOLDFAST_CHECK(first.result());
  if (cleaned_) return {};
  HOLDFAST_CHECK(clean_others(*chosen_, sets));
  cleaned_ = true;
  return {};
}

Status RuleKeeper::choose(const std::vector<RuleSet>& sets) {
  if (chosen_) return {};
  HOLDFAST_TRY(chosen_, choose_firewall(back_end_, executor_, sets));
  return {};
}

Status RuleKeeper::see_forwarded(const std::vector<RuleSet>& sets) {
  Forwarded seen = firewall::see_forwarded(back_end_, executor_, sets, *chosen_);
  if (seen.is_another) {
    put_.clear();
    cleaned_ = false;
  }
  return std::move(seen.done);
}

RuleKeeper::Look RuleKeeper::look(const std::vector<RuleSet>& sets) {
  Look out;
  if (out.done = choose(sets); !out.done) return out;
  Status forwarded = see_forwarded(sets);
  out.done = put_all(sets, out);
  if (out.done) out.done = std::move(forwarded);
  return out;
}

}  // namespace holdfast::firewall
