#pragma once

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

  bool operator==(const AddressMatch&) const = default;
};

/// The bits of the packet's mark that `mask` selects equal `value`.
struct MarkMatch {
  std::uint32_t value = 0;
  std::uint32_t mask = 0xffffffff;

  bool operator==(const MarkMatch&) const = default;
};

enum class Target : std::uint8_t {
  kAccept,
  kReturn,                 ///< leaves the chain: the rules after it do not count
  kMasquerade,             ///< the port is kept where it can be
  kMasqueradeFullyRandom,  ///< the port is chosen at random, so that two packets at once do not get the same
};

/// What is unset matches everything.
struct Rule {
  std::optional<MarkMatch> mark = std::nullopt;
  std::optional<AddressMatch> source = std::nullopt;
  std::optional<AddressMatch> destination = std::nullopt;
  Target target = Target::kReturn;

  bool operator==(const Rule&) const = default;
};

/// Where packets meet a chain.
enum class Hook : std::uint8_t {
  kForward,      ///< all that is forwarded
  kPostrouting,  ///< the first packet of each connection on its way out, to have its source translated
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

  bool operator==(const Chain&) const = default;
};

/// All chains of one program in one family.
struct RuleSet {
  IpFamily family = IpFamily::kV4;
  std::vector<Chain> chains = {};
  std::string nft_table = {};  ///< holds these chains and nothing else
  std::string nft_table_comment = {};

  bool operator==(const RuleSet&) const = default;
};

}  // namespace holdfast::firewall
