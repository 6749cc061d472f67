#include "common/firewall/back_end.h"

#include <algorithm>
#include <utility>

#include "common/firewall/iptables_firewall.h"
#include "common/firewall/nftables_firewall.h"

namespace holdfast::firewall {
namespace {

/// Whether the kernel takes nf_tables' messages at all.
bool has_nftables(nl::Socket& socket, const std::vector<RuleSet>& sets) {
  NftablesFirewall nftables(socket);
  return std::ranges::all_of(sets, [&](const RuleSet& set) { return nftables.read_chains(set).has_value(); });
}

}  // namespace

Flags::Set to_back_end(BackEnd& target) {
  return [&target](const std::string& value) -> Status {
    const std::pair<const char*, BackEnd> all[] = {
        {"auto", BackEnd::kAuto}, {"iptables", BackEnd::kIptables}, {"nftables", BackEnd::kNftables}};
    for (const auto& [name, back_end] : all) {
      if (value != name) continue;
      target = back_end;
      return {};
    }
    return fail(Code::kInvalidArgument, "is none of auto, iptables, nftables");
  };
}

Result<ChosenFirewall> choose_firewall(BackEnd back_end, Executor& executor,
                                       const std::vector<RuleSet>& sets) {
  HOLDFAST_TRY(nl::Socket socket, nl::Socket::open(nl::Protocol::kNetfilter));
  ChosenFirewall out;
  out.socket = std::make_unique<nl::Socket>(std::move(socket));
  const bool nftables =
      back_end == BackEnd::kNftables || (back_end == BackEnd::kAuto && has_nftables(*out.socket, sets));
  out.firewall = std::make_unique<NftablesFirewall>(*out.socket);
  out.other = std::make_unique<IptablesFirewall>(executor);
  if (!nftables) std::swap(out.firewall, out.other);
  return out;
}

Status clean_others(const ChosenFirewall& chosen, Executor& executor, const std::vector<RuleSet>& sets) {
  for (const RuleSet& set : sets) {
    HOLDFAST_CHECK(chosen.other->clean(set));
    HOLDFAST_CHECK(clean_other_iptables(executor, set));
  }
  return {};
}

}  // namespace holdfast::firewall
