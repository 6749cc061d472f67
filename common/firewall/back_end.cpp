#include "common/firewall/back_end.h"

#include <algorithm>
#include <utility>

#include "common/firewall/iptables_firewall.h"
#include "common/firewall/nftables_firewall.h"

namespace holdfast::firewall {
namespace {

/// Whether the kernel takes tables of these families: one that has nf_tables may answer questions about
/// families that it does not have. What is made is put right by the first put, or goes.
bool has_nftables(nl::Socket& socket, const std::vector<RuleSet>& sets) {
  NftablesFirewall nftables(socket);
  return std::ranges::all_of(sets, [&](const RuleSet& set) { return nftables.make_table(set).has_value(); });
}

/// Without nf_tables in the kernel iptables-nft is of no use, even where it can list its tables.
std::unique_ptr<IptablesFirewall> make_iptables(Executor& executor, bool kernel_has_nftables) {
  IptablesPrograms legacy(executor, "-legacy");
  if (kernel_has_nftables || !legacy.is_installed(IpFamily::kV4)) {
    return std::make_unique<IptablesFirewall>(executor);
  }
  return std::make_unique<IptablesFirewall>(executor, std::move(legacy));
}

bool accepts_forwarded(const RuleSet& set) {
  return std::ranges::any_of(set.chains, [](const Chain& chain) {
    return chain.wanted && chain.hook == Hook::kForward &&
           std::ranges::find(chain.rules, Target::kAccept, &Rule::target) != chain.rules.end();
  });
}

/// Whether accepts have to be where iptables' own are. One that does not answer is no reason for no rules.
bool needs_iptables(IptablesFirewall& iptables, const std::vector<RuleSet>& sets) {
  return std::ranges::any_of(sets, [&](const RuleSet& set) {
    if (!accepts_forwarded(set)) return false;
    const auto drops = iptables.forward_drops(set.family);
    return drops && !drops->own.empty();
  });
}

}  // namespace

bool ChosenFirewall::is_nftables() const { return firewall.get() != iptables; }

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
  const bool possible = has_nftables(*out.socket, sets);
  out.firewall = std::make_unique<NftablesFirewall>(*out.socket);
  std::unique_ptr<IptablesFirewall> iptables = make_iptables(executor, possible);
  const bool nftables = back_end == BackEnd::kNftables ||
                        (back_end == BackEnd::kAuto && possible && !needs_iptables(*iptables, sets));
  out.iptables = iptables.get();
  out.other = std::move(iptables);
  if (!nftables) std::swap(out.firewall, out.other);
  return out;
}

Status check_forwarded(const ChosenFirewall& chosen, const std::vector<RuleSet>& sets) {
  for (const RuleSet& set : sets) {
    if (!accepts_forwarded(set)) continue;
    HOLDFAST_TRY(const IptablesFirewall::ForwardDrops drops, chosen.iptables->forward_drops(set.family));
    const bool own = chosen.is_nftables() && !drops.own.empty();
    if (!own && drops.others.empty()) continue;
    const std::string& name = own ? drops.own.front() : drops.others.front();
    std::string why = name + "'s FORWARD policy is DROP, which our accepts elsewhere cannot undo: run ";
    why += name + " -P FORWARD ACCEPT";
    if (own) why += ", or let --firewall be auto";
    return fail(Code::kFailedPrecondition, std::move(why));
  }
  return {};
}

Forwarded see_forwarded(BackEnd back_end, Executor& executor, const std::vector<RuleSet>& sets,
                        ChosenFirewall& chosen) {
  Forwarded out{.done = check_forwarded(chosen, sets)};
  if (out.done || back_end != BackEnd::kAuto || !chosen.is_nftables()) return out;
  Result<ChosenFirewall> again = choose_firewall(back_end, executor, sets);
  if (!again) return {.done = tl::unexpected(std::move(again).error())};
  if (again->is_nftables()) return out;
  chosen = *std::move(again);
  return {.done = check_forwarded(chosen, sets), .is_another = true};
}

Status clean_others(const ChosenFirewall& chosen, const std::vector<RuleSet>& sets) {
  for (const RuleSet& set : sets) {
    HOLDFAST_CHECK(chosen.other->clean(set));
    HOLDFAST_CHECK(chosen.iptables->clean_other(set));
  }
  return {};
}

}  // namespace holdfast::firewall
