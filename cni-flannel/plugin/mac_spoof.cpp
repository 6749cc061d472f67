#include "cni-flannel/plugin/mac_spoof.h"

#include <string>
#include <utility>
#include <vector>

#include "common/netlink/nftables.h"

namespace holdfast::flannel {
namespace {

namespace nft = nl::nft;

// Names and numbers are containernetworking/plugins', pkg/link/spoofcheck.go.
constexpr std::string_view kPrerouting = "PREROUTING";
constexpr int kPriority = -300;

nft::Table spoof_table() { return {nft::Family::kBridge, "nat", {}}; }

std::string id_of(const RuleOwner& owner) { return owner.container_id + "-" + owner.ifname; }
std::string comment_of(const RuleOwner& owner) { return "macspoofchk-" + id_of(owner); }
std::string link_chain(const RuleOwner& owner) { return "cni-br-iface-" + id_of(owner); }
std::string mac_chain(const RuleOwner& owner) { return link_chain(owner) + "-mac"; }

nft::Verdict verdict(nft::Verdict::Kind kind, std::string chain = {}) { return {kind, std::move(chain)}; }

/// The owner's rules among those of one chain.
Result<std::vector<nft::ListedRule>> own_rules(nl::Socket& socket, const RuleOwner& owner,
                                               std::string_view chain) {
  const nft::Table table = spoof_table();
  HOLDFAST_TRY(std::vector<nft::ListedRule> rules, nft::list_rules(socket, table.family, table.name, chain));
  std::erase_if(rules, [&](const nft::ListedRule& rule) { return rule.comment != comment_of(owner); });
  return rules;
}

/// Takes the owner's jumps out of PREROUTING.
Status delete_jumps(nl::Socket& socket, const RuleOwner& owner, nft::Transaction& transaction) {
  HOLDFAST_TRY(const std::vector<nft::ListedRule> jumps, own_rules(socket, owner, kPrerouting));
  for (const nft::ListedRule& jump : jumps) transaction.delete_rule(kPrerouting, jump.handle);
  return {};
}

}  // namespace

Status put_mac_spoof_check(nl::Socket& nft, const RuleOwner& owner, std::string_view host_link,
                           const MacAddress& mac) {
  using Kind = nft::Verdict::Kind;
  const std::string comment = comment_of(owner);
  nft::Transaction transaction(spoof_table());
  transaction.put_table();
  transaction.put_chain(
      {std::string(kPrerouting), nft::BaseChain{"filter", nft::Hook::kPrerouting, kPriority}, {}});
  for (const std::string& chain : {link_chain(owner), mac_chain(owner)}) {
    transaction.put_chain({chain, std::nullopt, {}}).flush_chain(chain);
  }
  HOLDFAST_CHECK(delete_jumps(nft, owner, transaction));

  const nft::MatchLinkName from_container{nft::Side::kSource, nft::Comparison::kEqual,
                                          std::string(host_link)};
  const nft::MatchEtherAddress own_mac{nft::Side::kSource, nft::Comparison::kEqual, mac};
  transaction.append_rule(kPrerouting, {{from_container, verdict(Kind::kJump, link_chain(owner))}, comment})
      .append_rule(link_chain(owner), {{verdict(Kind::kJump, mac_chain(owner))}, comment})
      .append_rule(mac_chain(owner), {{own_mac, verdict(Kind::kReturn)}, comment})
      .append_rule(mac_chain(owner), {{verdict(Kind::kDrop)}, comment});
  return nft::commit(nft, std::move(transaction));
}

Status drop_mac_spoof_check(nl::Socket& nft, const RuleOwner& owner) {
  const nft::Table table = spoof_table();
  nft::Transaction transaction(table);
  HOLDFAST_CHECK(delete_jumps(nft, owner, transaction));
  // the chain that jumps goes before the chain it jumps to
  for (const std::string& chain : {link_chain(owner), mac_chain(owner)}) {
    HOLDFAST_TRY(const bool there, nft::has_chain(nft, table.family, table.name, chain));
    if (there) transaction.flush_chain(chain).delete_chain(chain);
  }
  return nft::commit(nft, std::move(transaction));
}

Result<bool> has_mac_spoof_check(nl::Socket& nft, const RuleOwner& owner) {
  struct Wanted {
    std::string chain;
    std::size_t rules;
  };
  const Wanted all[] = {{std::string(kPrerouting), 1}, {link_chain(owner), 1}, {mac_chain(owner), 2}};
  for (const Wanted& wanted : all) {
    HOLDFAST_TRY(const std::vector<nft::ListedRule> rules, own_rules(nft, owner, wanted.chain));
    if (rules.size() != wanted.rules) return false;
  }
  return true;
}

}  // namespace holdfast::flannel
