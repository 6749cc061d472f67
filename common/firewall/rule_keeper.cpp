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

RuleKeeper::Look RuleKeeper::look(const std::vector<RuleSet>& sets) {
  Look out;
  if (!chosen_) {
    Result<ChosenFirewall> chosen = choose_firewall(back_end_, executor_, sets);
    if (!chosen) {
      out.done = tl::unexpected(std::move(chosen).error());
      return out;
    }
    chosen_ = *std::move(chosen);
  }
  FirstError first;
  for (const RuleSet& set : sets) first.add(put(set, out));
  if (out.done = first.result(); !out.done || cleaned_) return out;
  out.done = clean_others(*chosen_, sets);
  cleaned_ = out.done.has_value();
  return out;
}

}  // namespace holdfast::firewall
