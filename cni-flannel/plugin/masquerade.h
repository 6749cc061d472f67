#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "cni-flannel/plugin/rule_owner.h"
#include "common/base/cidr.h"
#include "common/base/result.h"
#include "common/netlink/socket.h"

/// Masquerading of one container's traffic to outside its subnet (ipMasq), in nftables. The layout is that of
/// containernetworking/plugins 1.9, so that either side can remove what the other made:
///
///     table inet cni_plugins_masquerade
///       chain masq_checks        one rule an address: ip saddr ADDRESS ip daddr != SUBNET masquerade
///       chain postrouting        nat, srcnat; returns for multicast, then goto masq_checks
///
/// The rule's comment starts with H(network)-H(ifname:container id), H being the first 16 hexadecimal digits
/// of SHA-512.
///
/// `nft` is a Protocol::kNetfilter socket of the host's namespace.
namespace holdfast::flannel {

/// Puts the rules for `addresses` (host part the container's, prefix its subnet's) in place of those the
/// owner has, in one transaction.
Status put_masquerade(nl::Socket& nft, const RuleOwner& owner, std::span<const Cidr> addresses);
/// Removes the owner's rules; none there succeeds. Table and chains stay.
Status drop_masquerade(nl::Socket& nft, const RuleOwner& owner);
/// How many rules the owner has: one an address when all is well.
Result<std::size_t> count_masquerade(nl::Socket& nft, const RuleOwner& owner);
/// Whether there is a rule for each of `addresses`, and packets come by them.
Result<bool> has_masquerade(nl::Socket& nft, const RuleOwner& owner, std::span<const Cidr> addresses);
/// Removes the network's rules whose owner is not among `valid` (their network is not looked at). Returns how
/// many went.
Result<std::size_t> collect_masquerade(nl::Socket& nft, std::string_view network,
                                       std::span<const RuleOwner> valid);

/// The comment on an owner's rules: "H-H, net: <network>, if: <ifname>, id: <container id>" without double
/// quotes, cut to 128 bytes.
[[nodiscard]] std::string masquerade_comment(const RuleOwner& owner);

}  // namespace holdfast::flannel
