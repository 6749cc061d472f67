#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/cidr.h"

/// Packet-filter rules as values, written to the kernel by one of two back ends with the same meaning.
namespace holdfast::firewall {

/// An address range that a packet's address must, or must not, be in.
struct AddressMatch {
  Cidr range;
  bool inverted = false;
  /// Set: the bits that it selects equal those of the range's address, wherever they stand, and the range's
  /// prefix does not count. Bits of the address that it does not select are 0.
  std::optional<IpAddress> mask = std::nullopt;
  /// Neither inverted nor masked: or in one of these. nftables looks all of them up in a few steps; iptables
  /// has a rule for each.
  std::vector<Cidr> others = {};

  bool operator==(const AddressMatch&) const = default;
};

/// The link by which a packet came, or leaves.
struct LinkMatch {
  std::string name;     ///< at most 15 bytes
  bool prefix = false;  ///< all links whose names begin so

  bool operator==(const LinkMatch&) const = default;
};

/// The bits of the packet's mark that `mask` selects equal `value`.
struct MarkMatch {
  std::uint32_t value = 0;
  std::uint32_t mask = 0xffffffff;

  bool operator==(const MarkMatch&) const = default;
};

/// What is known of the connection that a packet belongs to. A packet that is not tracked is none of these.
enum class ConnectionMatch : std::uint8_t {
  kNew,    ///< it is the first
  kReply,  ///< it answers one that was let through before, or is an error about one that does not
};

enum class Target : std::uint8_t {
  kAccept,
  kReturn,  ///< leaves the chain: the rules after it do not count
  kDrop,
  kRefuse,    ///< dropped, and the sender is told: ICMP, administratively prohibited
  kUntrack,   ///< no connection is kept for the packet; the rules after it count. In kRaw and kRawOwn alone
  kClampMss,  ///< of TCP's SYN, to what fits the MTU of both directions; other packets pass. In kMangle alone
  kMasquerade,             ///< the port is kept where it can be
  kMasqueradeFullyRandom,  ///< the port is chosen at random, so that two packets at once do not get the same
  kTranslateSource,        ///< to the rule's `translation`. In kPostrouting alone
};

/// The types of ICMP by which routers and hosts tell a sender what became of its packet: destination
/// unreachable
/// ("fragmentation needed" is among these), source quench, time exceeded, parameter problem; of IPv6:
/// destination unreachable, packet too big, time exceeded, parameter problem. Source: RFC 792, RFC 4443
/// section 2.1.
[[nodiscard]] constexpr std::array<std::uint8_t, 4> icmp_error_types(IpFamily family) {
  return family == IpFamily::kV4 ? std::array<std::uint8_t, 4>{3, 4, 11, 12}
                                 : std::array<std::uint8_t, 4>{1, 2, 3, 4};
}

/// What is unset matches everything.
struct Rule {
  std::optional<MarkMatch> mark = std::nullopt;
  std::optional<AddressMatch> source = std::nullopt;
  std::optional<AddressMatch> destination = std::nullopt;
  Target target = Target::kReturn;
  std::optional<LinkMatch> in_link = std::nullopt;
  std::optional<LinkMatch> out_link = std::nullopt;      ///< not in kRaw and kInput
  std::optional<std::uint16_t> udp_port = std::nullopt;  ///< UDP alone, to this port
  std::optional<std::uint8_t> icmp_type = std::nullopt;  ///< ICMP, or ICMPv6, of this type and any code
  std::optional<ConnectionMatch> connection = std::nullopt;
  std::optional<IpAddress> translation = std::nullopt;  ///< of kTranslateSource
  bool counted = false;                                 ///< its packets are counted; iptables counts always

  bool operator==(const Rule&) const = default;
};

/// Where packets meet a chain.
enum class Hook : std::uint8_t {
  kRaw,          ///< all that arrives, before its connection is looked for
  kRawOwn,       ///< all that this machine itself sends, before its connection is looked for. No in_link
  kMangle,       ///< all that is forwarded, before kForward, to be changed
  kInput,        ///< all that is for this machine
  kForward,      ///< all that is forwarded
  kLeaving,      ///< all that leaves by a link, forwarded or this machine's own. No in_link, no kRefuse
  kPostrouting,  ///< the first packet of each connection on its way out, to have its source translated
};

/// A link whose packets meet a chain: those that come by it, or those that leave by it.
struct ChainLink {
  enum class Side : std::uint8_t { kIn, kOut };
  Side side = Side::kIn;
  std::string name = {};  ///< at most 15 bytes

  bool operator==(const ChainLink&) const = default;
};

/// A chain of our own with all that is in it.
struct Chain {
  Hook hook = Hook::kForward;
  bool wanted = true;  ///< false: the chain and the way into it are removed
  std::vector<Rule> rules = {};

  std::string iptables_name = {};     ///< at most 28 bytes
  std::string iptables_comment = {};  ///< on each of its rules, and on the jump to it
  std::string nft_name = {};
  std::string nft_comment = {};

  /// Of iptables in kForward: the jump is kept before the rules of others, as it is in kRaw, kInput and
  /// kLeaving: what they accept before would not meet this chain. nftables needs no such word: there a drop
  /// of any chain counts.
  bool first = false;

  /// Set: only packets of this link meet the chain, before the rules of its trunk, the first chain of its
  /// hook, which has no link and bears the comment for iptables; what it does not decide goes on there. A
  /// packet finds the chains of its two links in one step each, however many links have one; of iptables it
  /// passes a short rule for each.
  std::optional<ChainLink> link = std::nullopt;

  bool operator==(const Chain&) const = default;
};

/// All chains of one program in one family. At most one without a link for each hook, if any has a link.
struct RuleSet {
  IpFamily family = IpFamily::kV4;
  std::vector<Chain> chains = {};
  std::string nft_table = {};  ///< holds these chains and nothing else
  std::string nft_table_comment = {};
  /// What the names of links' chains begin with, and no others; empty: it never has any.
  std::string iptables_links = {};

  bool operator==(const RuleSet&) const = default;
};

/// The chains of links that have `trunk` for theirs, in order: first those of packets that come by them.
[[nodiscard]] inline std::vector<const Chain*> link_chains(const RuleSet& set, const Chain& trunk) {
  std::vector<const Chain*> out;
  if (trunk.link) return out;
  for (const ChainLink::Side side : {ChainLink::Side::kIn, ChainLink::Side::kOut}) {
    for (const Chain& chain : set.chains) {
      if (chain.wanted && chain.hook == trunk.hook && chain.link && chain.link->side == side)
        out.push_back(&chain);
    }
  }
  return out;
}

}  // namespace holdfast::firewall
