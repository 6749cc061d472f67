#include "cni-flannel/daemon/peer_guard.h"

#include <algorithm>

#include "common/netlink/nftables.h"

namespace holdfast::flannel {
namespace {

namespace nft = nl::nft;

// Before the chains that others accept in.
constexpr int kPriority = -10;
constexpr const char* kChain = "input";
// By which a rule that somebody put in the place of ours is told: its counter changes all the time.
constexpr const char* kRuleComment = "flanneld: not of a peer";

nft::Table table() {
  return {nft::Family::kInet, "flanneld-peers", "VXLAN packets are taken from peers only"};
}

nft::AddressSet set_of(IpFamily family) { return {family == IpFamily::kV4 ? "peers4" : "peers6", family}; }

nft::Rule drop_strangers(std::uint16_t port, IpFamily family) {
  nft::Rule rule;
  rule.comment = kRuleComment;
  rule.statements.emplace_back(nft::MatchUdpPort{port});
  rule.statements.emplace_back(
      nft::MatchSet{nft::Side::kSource, nft::Comparison::kNotEqual, family, set_of(family).name});
  rule.statements.emplace_back(nft::Counter{});
  rule.statements.emplace_back(nft::Verdict{nft::Verdict::Kind::kDrop, {}});
  return rule;
}

}  // namespace

Status put_peer_guard(nl::Socket& socket, const PeerGuard& guard) {
  nft::Transaction transaction(table());
  transaction.put_table();
  transaction.put_chain({kChain, nft::BaseChain{"filter", nft::Hook::kInput, kPriority}, ""});
  transaction.flush_chain(kChain);
  for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
    transaction.put_set(set_of(family));
    transaction.fill_set(set_of(family), guard.peers);
    transaction.append_rule(kChain, drop_strangers(guard.port, family));
  }
  return nft::commit(socket, std::move(transaction));
}

Result<bool> peer_guard_is_whole(nl::Socket& socket, const PeerGuard& guard) {
  std::vector<IpAddress> there;
  for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
    HOLDFAST_TRY(const std::vector<IpAddress> part,
                 nft::list_set(socket, table().family, table().name, set_of(family).name));
    there.insert(there.end(), part.begin(), part.end());
  }
  std::ranges::sort(there);
  if (there != guard.peers) return false;
  HOLDFAST_TRY(const auto rules, nft::list_rules(socket, table().family, table().name, kChain));
  return rules.size() == 2 &&
         std::ranges::all_of(rules, [](const auto& rule) { return rule.comment == kRuleComment; });
}

Status remove_peer_guard(nl::Socket& socket) {
  nft::Transaction transaction(table());
  // made first: a table that is absent cannot be deleted
  transaction.put_table();
  transaction.delete_table();
  Status removed = nft::commit(socket, std::move(transaction));
  if (!removed && removed.error().code == Code::kUnimplemented) return {};
  return removed;
}

}  // namespace holdfast::flannel
