#pragma once

#include <string_view>

#include "cni-flannel/plugin/rule_owner.h"
#include "common/base/result.h"
#include "common/netlink/mac_address.h"
#include "common/netlink/socket.h"

/// Drops frames of a container that carry another source MAC than its own (macspoofchk). The layout is that
/// of containernetworking/plugins 1.9, so that either side can remove what the other made:
///
///     table bridge nat
///       chain PREROUTING                           filter, priority -300
///         iifname HOST_LINK jump cni-br-iface-<container id>-<ifname>
///       chain cni-br-iface-<container id>-<ifname>
///         jump cni-br-iface-<container id>-<ifname>-mac
///       chain cni-br-iface-<container id>-<ifname>-mac
///         ether saddr MAC return
///         drop
///
/// Every rule carries the comment "macspoofchk-<container id>-<ifname>". The network's name is in none of
/// them, so there is no collecting by network.
///
/// `nft` is a Protocol::kNetfilter socket of the host's namespace.
namespace holdfast::flannel {

/// Puts the chains and rules in place of those the owner has, in one transaction.
/// Errors: from a kernel without nf_tables for bridges (CONFIG_NF_TABLES_BRIDGE), naming the table.
Status put_mac_spoof_check(nl::Socket& nft, const RuleOwner& owner, std::string_view host_link,
                           const MacAddress& mac);
/// Removes chains and rules of the owner; none there succeeds. The table and PREROUTING stay.
Status drop_mac_spoof_check(nl::Socket& nft, const RuleOwner& owner);
/// Whether the jump from PREROUTING and both chains with as many rules as there should be are there.
Result<bool> has_mac_spoof_check(nl::Socket& nft, const RuleOwner& owner);

}  // namespace holdfast::flannel
