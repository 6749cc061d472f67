#include "egw-gateway/helper/node_firewall.h"

#include <algorithm>
#include <utility>

#include "common/base/first_error.h"
#include "common/firewall/iptables_firewall.h"
#include "common/firewall/nftables_firewall.h"

namespace holdfast::gateway {
namespace {

using firewall::RuleSet;

bool is_empty(const RuleSet& set) {
  return std::ranges::none_of(set.chains, [](const firewall::Chain& chain) { return chain.wanted; });
}

/// Whether the kernel takes nf_tables' messages at all.
bool has_nftables(nl::Socket& socket, const std::vector<RuleSet>& sets) {
  firewall::NftablesFirewall nftables(socket);
  return std::ranges::all_of(sets, [&](const RuleSet& set) { return nftables.read_chains(set).has_value(); });
}

}  // namespace

/// Once a start, and what an earlier start left with the other kind is removed.
Status NodeFirewall::choose(const std::vector<RuleSet>& sets) {
  if (firewall_) return {};
  HOLDFAST_TRY(nl::Socket socket, nl::Socket::open(nl::Protocol::kNetfilter));
  auto kept = std::make_unique<nl::Socket>(std::move(socket));
  const bool nftables =
      kind_ == FirewallKind::kNftables || (kind_ == FirewallKind::kAuto && has_nftables(*kept, sets));
  std::unique_ptr<firewall::Firewall> first = std::make_unique<firewall::NftablesFirewall>(*kept);
  std::unique_ptr<firewall::Firewall> second = std::make_unique<firewall::IptablesFirewall>(executor_);
  if (!nftables) std::swap(first, second);
  for (const RuleSet& set : sets) HOLDFAST_CHECK(second->clean(set));
  second.reset();
  socket_ = std::move(kept);
  firewall_ = std::move(first);
  return {};
}

Status NodeFirewall::put(const RuleSet& set, Look& out) {
  const bool known = std::ranges::find(put_, set) != put_.end();
  const auto note = [&] {
    std::erase_if(put_, [&](const RuleSet& before) { return before.family == set.family; });
    put_.push_back(set);
  };
  if (is_empty(set)) {
    if (known) return {};
    HOLDFAST_CHECK(firewall_->clean(set));
    note();
    return {};
  }
  HOLDFAST_TRY(const bool whole, firewall_->is_whole(set));
  if (!whole) {
    if (known) ++out.mended;
    HOLDFAST_CHECK(firewall_->put(set));
  }
  note();
  HOLDFAST_TRY(const auto counts, firewall_->read_counts(set));
  for (std::size_t chain = 0; chain < counts.size(); ++chain) {
    for (std::size_t rule = 0; rule < counts[chain].size(); ++rule) {
      if (set.chains[chain].rules[rule].counted) out.refused += counts[chain][rule].packets;
    }
  }
  return {};
}

NodeFirewall::Look NodeFirewall::look(const std::vector<RuleSet>& sets) {
  Look out;
  out.done = choose(sets);
  if (!out.done) return out;
  FirstError first;
  for (const RuleSet& set : sets) first.add(put(set, out));
  out.done = first.result();
  return out;
}

}  // namespace holdfast::gateway
