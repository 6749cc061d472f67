#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/result.h"
#include "common/netlink/socket.h"

namespace holdfast::flannel {

/// One interface of one container on one network: what rules are made for and found again by.
struct RuleOwner {
  std::string network;
  std::string container_id;
  std::string ifname;
};

/// Masquerading of one container's traffic to outside its subnet (ipMasq), in nftables. The layout is that of
/// containernetworking/plugins 1.9, so that either side can remove what the other made:
///
///     table inet cni_plugins_masquerade
///       chain masq_checks        one rule an address: ip saddr A ip daddr != SUBNET masquerade
///       chain postrouting        nat, srcnat; returns for multicast, then goto masq_checks
///
/// The rule's comment starts with H(network)-H(ifname:container id), H being the first 16 hexadecimal digits
/// of SHA-512.
///
/// `nft` is a Protocol::kNetfilter socket of the host's namespace.

/// Puts the rules for `addresses` (host part the container's, prefix its subnet's) in place of those the
/// owner has.
Status put_masquerade(nl::Socket& nft, const RuleOwner& owner, std::span<const Cidr> addresses);
/// Removes the owner's rules; none there succeeds. Table and chains stay.
Status drop_masquerade(nl::Socket& nft, const RuleOwner& owner);
/// How many rules the owner has: one an address when all is well.
Result<std::size_t> count_masquerade(nl::Socket& nft, const RuleOwner& owner);
/// Removes the network's rules whose owner is not among `valid` (their network field is not looked at).
/// Returns how many went.
Result<std::size_t> collect_masquerade(nl::Socket& nft, std::string_view network,
                                       std::span<const RuleOwner> valid);

/// The comment on an owner's rules; the first 33 characters tell the owner.
[[nodiscard]] std::string masquerade_comment(const RuleOwner& owner);

/// The same by iptables(8) and ip6tables(8), as plugins before 1.5 and `ipMasqBackend: iptables` do it, in
/// the table nat of the calling thread's namespace:
///
///     CNI-<24 hexadecimal digits>  of SHA-512(network + container id)
///       -d SUBNET -j ACCEPT
///       ! -d 224.0.0.0/4 -j MASQUERADE        (ff00::/8)
///     POSTROUTING
///       -s ADDRESS -j CNI-..
///
/// Every rule carries the comment  name: "<network>" id: "<container id>".  The interface name does not
/// count. Errors: kNotFound when the program is not installed, kDeadlineExceeded when the lock of xtables is
/// held for 5 s, else the program's own words.
Status put_masquerade_iptables(const RuleOwner& owner, std::span<const Cidr> addresses);
/// Nothing there, and no iptables on the machine, succeed.
Status drop_masquerade_iptables(const RuleOwner& owner, std::span<const Cidr> addresses);
Result<bool> has_masquerade_iptables(const RuleOwner& owner, std::span<const Cidr> addresses);

}  // namespace holdfast::flannel
