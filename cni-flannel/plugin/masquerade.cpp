#include "cni-flannel/plugin/masquerade.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/base/sha.h"
#include "common/netlink/nftables.h"

namespace holdfast::flannel {
namespace {

namespace nft = nl::nft;

// Names, comments and numbers are containernetworking/plugins', pkg/ip/ipmasq_nftables_linux.go.
constexpr std::string_view kChecks = "masq_checks";
constexpr std::string_view kPostrouting = "postrouting";
constexpr int kSourceNatPriority = 100;
constexpr std::size_t kHashDigits = 16;
constexpr std::size_t kCommentBytes = 128;

nft::Table masquerade_table() {
  return {nft::Family::kInet, "cni_plugins_masquerade",
          "Masquerading for plugins from github.com/containernetworking/plugins"};
}

std::string short_hash(const std::string& text) { return sha512_hex(text).substr(0, kHashDigits); }

/// What the comments of all of a network's rules start with.
std::string network_mark(std::string_view network) { return short_hash(std::string(network)) + "-"; }

/// What the comments of all of an owner's rules start with.
std::string owner_mark(const RuleOwner& owner) {
  return network_mark(owner.network) + short_hash(owner.ifname + ":" + owner.container_id);
}

std::string without_quotes(std::string text) {
  std::erase(text, '"');
  return text;
}

nft::Verdict go_to(std::string_view chain) { return {nft::Verdict::Kind::kGoto, std::string(chain)}; }

nft::Rule return_for_multicast(const char* multicast) {
  const nft::MatchAddress match{nft::Side::kDestination, nft::Comparison::kEqual, *Cidr::parse(multicast)};
  return {{match, nft::Verdict{nft::Verdict::Kind::kReturn, {}}}, {}};
}

nft::Rule masquerade_rule(const Cidr& address, std::string comment) {
  const auto whole = Cidr::make(address.address(), address.address().bits());
  const nft::MatchAddress from{nft::Side::kSource, nft::Comparison::kEqual, *whole};
  const nft::MatchAddress to_outside{nft::Side::kDestination, nft::Comparison::kNotEqual, address.network()};
  return {{from, to_outside, nft::Masquerade{}}, std::move(comment)};
}

/// Table and chains, as upstream puts them before each rule.
void put_layout(nft::Transaction& transaction) {
  transaction.put_table();
  transaction.put_chain(
      {std::string(kChecks), std::nullopt,
       "Masquerade traffic from certain IPs to any (non-multicast) IP outside their subnet"});
  transaction.put_chain(
      {std::string(kPostrouting), nft::BaseChain{"nat", nft::Hook::kPostrouting, kSourceNatPriority}, {}});
  transaction.flush_chain(kPostrouting);
  transaction.append_rule(kPostrouting, return_for_multicast("224.0.0.0/4"));
  transaction.append_rule(kPostrouting, return_for_multicast("ff00::/8"));
  transaction.append_rule(kPostrouting, {{go_to(kChecks)}, {}});
}

Result<std::vector<nft::ListedRule>> rules_marked(nl::Socket& socket, std::string_view mark) {
  const nft::Table table = masquerade_table();
  HOLDFAST_TRY(std::vector<nft::ListedRule> rules,
               nft::list_rules(socket, table.family, table.name, kChecks));
  std::erase_if(rules, [mark](const nft::ListedRule& rule) { return !rule.comment.starts_with(mark); });
  return rules;
}

Status delete_rules(nl::Socket& socket, const std::vector<nft::ListedRule>& rules) {
  nft::Transaction transaction(masquerade_table());
  for (const nft::ListedRule& rule : rules) transaction.delete_rule(kChecks, rule.handle);
  return nft::commit(socket, std::move(transaction));
}

}  // namespace

std::string masquerade_comment(const RuleOwner& owner) {
  const std::string comment = owner_mark(owner) + ", net: " + without_quotes(owner.network) +
                              ", if: " + without_quotes(owner.ifname) +
                              ", id: " + without_quotes(owner.container_id);
  return comment.substr(0, kCommentBytes);
}

Status put_masquerade(nl::Socket& nft, const RuleOwner& owner, std::span<const Cidr> addresses) {
  HOLDFAST_TRY(const std::vector<nft::ListedRule> stale, rules_marked(nft, owner_mark(owner)));
  nft::Transaction transaction(masquerade_table());
  put_layout(transaction);
  for (const nft::ListedRule& rule : stale) transaction.delete_rule(kChecks, rule.handle);
  for (const Cidr& address : addresses) {
    transaction.append_rule(kChecks, masquerade_rule(address, masquerade_comment(owner)));
  }
  return nft::commit(nft, std::move(transaction));
}

Status drop_masquerade(nl::Socket& nft, const RuleOwner& owner) {
  HOLDFAST_TRY(const std::vector<nft::ListedRule> rules, rules_marked(nft, owner_mark(owner)));
  return delete_rules(nft, rules);
}

Result<std::size_t> count_masquerade(nl::Socket& nft, const RuleOwner& owner) {
  HOLDFAST_TRY(const std::vector<nft::ListedRule> rules, rules_marked(nft, owner_mark(owner)));
  return rules.size();
}

Result<bool> has_masquerade(nl::Socket& nft, const RuleOwner& owner, std::span<const Cidr> addresses) {
  HOLDFAST_TRY(const std::size_t count, count_masquerade(nft, owner));
  if (count < addresses.size()) return false;
  const nft::Table table = masquerade_table();
  HOLDFAST_TRY(const std::vector<nft::ListedRule> entry,
               nft::list_rules(nft, table.family, table.name, kPostrouting));
  return std::ranges::any_of(
      entry, [](const nft::ListedRule& rule) { return rule.expressions.find(kChecks) != std::string::npos; });
}

Result<std::size_t> collect_masquerade(nl::Socket& nft, std::string_view network,
                                       std::span<const RuleOwner> valid) {
  std::vector<std::string> kept;
  for (RuleOwner owner : valid) {
    owner.network = network;
    kept.push_back(owner_mark(owner));
  }
  HOLDFAST_TRY(std::vector<nft::ListedRule> rules, rules_marked(nft, network_mark(network)));
  std::erase_if(rules, [&](const nft::ListedRule& rule) {
    return std::ranges::any_of(kept, [&](const std::string& mark) { return rule.comment.starts_with(mark); });
  });
  HOLDFAST_CHECK(delete_rules(nft, rules));
  return rules.size();
}

}  // namespace holdfast::flannel
