#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/result.h"
#include "common/netlink/mac_address.h"
#include "common/netlink/request.h"
#include "common/netlink/socket.h"

namespace holdfast::nl {
class Writer;
}  // namespace holdfast::nl

/// nf_tables without libnftables: only what our programs write. A socket for it is opened with
/// Socket::open(Protocol::kNetfilter).
/// Source: nft(8), linux/netfilter/nf_tables.h; comments in user data as nft(8) writes them.
namespace holdfast::nl::nft {

/// Source: linux/netfilter.h, NFPROTO_*.
enum class Family : std::uint8_t { kInet = 1, kIp = 2, kBridge = 7, kIp6 = 10 };

struct Table {
  Family family = Family::kInet;
  std::string name = {};
  std::string comment = {};  ///< at most 128 bytes; written only when the table is made
};

/// Source: linux/netfilter.h NF_INET_*, linux/netfilter_bridge.h NF_BR_*: the numbers agree.
enum class Hook : std::uint8_t { kPrerouting = 0, kInput = 1, kForward = 2, kOutput = 3, kPostrouting = 4 };

/// Makes a chain one that packets enter by themselves.
struct BaseChain {
  std::string type = {};  ///< "filter", "nat" or "route"
  Hook hook = Hook::kPrerouting;
  int priority = 0;  ///< lower runs first; srcnat is 100
};

struct Chain {
  std::string name = {};
  std::optional<BaseChain> base = std::nullopt;  ///< none: reached by jumps only
  std::string comment = {};
};

/// Where an address stands in a packet.
enum class Side : std::uint8_t { kSource, kDestination };
enum class Comparison : std::uint8_t { kEqual, kNotEqual };

/// "ip saddr 10.0.0.0/8", "ip6 daddr != ff00::/8"; a prefix of all bits compares whole addresses. In families
/// inet and bridge the packet's protocol is looked at first, as nft does.
struct MatchAddress {
  Side side = Side::kSource;
  Comparison comparison = Comparison::kEqual;
  Cidr cidr;
};
/// "ether saddr 02:..", for family bridge.
struct MatchEtherAddress {
  Side side = Side::kSource;
  Comparison comparison = Comparison::kEqual;
  MacAddress mac;
};
/// "ip saddr and 255.255.0.254 == 10.244.0.0": the bits that the mask selects, wherever they stand.
struct MatchMaskedAddress {
  Side side = Side::kSource;
  Comparison comparison = Comparison::kEqual;
  IpAddress value;
  IpAddress mask;
};
/// "iifname veth1" (source) or "oifname veth1" (destination); "iifname wg*" as a prefix.
struct MatchLinkName {
  Side side = Side::kSource;
  Comparison comparison = Comparison::kEqual;
  std::string name = {};
  bool prefix = false;
};
/// "ct state established,related". Source: linux/netfilter/nf_conntrack_common.h, NF_CT_STATE_BIT.
struct MatchConnectionState {
  static constexpr std::uint32_t kEstablished = 2;
  static constexpr std::uint32_t kRelated = 4;
  static constexpr std::uint32_t kNew = 8;
  std::uint32_t any_of = 0;
};
/// "ct direction reply".
struct MatchReplyDirection {};
/// "tcp flags syn / syn,rst".
struct MatchTcpSyn {};
/// "meta mark & mask == value".
struct MatchMark {
  Comparison comparison = Comparison::kEqual;
  std::uint32_t value = 0;
  std::uint32_t mask = 0xffffffff;
};
/// "ip saddr @peers", "ip6 saddr != @peers": an address in, or not in, a set of the table.
struct MatchSet {
  Side side = Side::kSource;
  Comparison comparison = Comparison::kEqual;
  IpFamily family = IpFamily::kV4;
  std::string set = {};
};
/// "iifname vmap @links" (source) or "oifname vmap @links" (destination): into the chain that the map has for
/// the link, if it has one.
struct JumpByLink {
  Side side = Side::kSource;
  std::string map = {};
};
/// "udp dport 8472".
struct MatchUdpPort {
  std::uint16_t port = 0;
};
/// "icmp type 3", in family ip; "icmpv6 type 3" in ip6.
struct MatchIcmpType {
  std::uint8_t type = 0;
};
struct Counter {};
struct Masquerade {
  bool fully_random = false;
};
/// "snat to 10.1.2.3", in a chain of type nat.
struct TranslateSource {
  IpAddress to;
};
/// "notrack", in prerouting or output before priority -200.
struct NoTrack {};
/// "tcp option maxseg size set rt mtu"; it is never raised.
struct ClampMss {};
/// "reject with icmp admin-prohibited", of families ip and ip6. Ends the rule.
struct RejectProhibited {};
/// Ends the rule. `chain` for kJump and kGoto.
struct Verdict {
  enum class Kind : std::uint8_t { kAccept, kDrop, kReturn, kJump, kGoto };
  Kind kind = Kind::kAccept;
  std::string chain = {};
};
using Statement = std::variant<MatchAddress, MatchMaskedAddress, MatchEtherAddress, MatchLinkName, MatchMark,
                               MatchSet, JumpByLink, MatchUdpPort, MatchIcmpType, MatchConnectionState,
                               MatchReplyDirection, MatchTcpSyn, Counter, Masquerade, TranslateSource,
                               NoTrack, ClampMss, RejectProhibited, Verdict>;

/// A set of addresses, which rules look up in one step however many there are.
struct AddressSet {
  std::string name = {};
  IpFamily family = IpFamily::kV4;
};

/// The chain into which packets of each link jump: rules look a link up in one step however many there are.
struct LinkMap {
  std::string name = {};
  std::map<std::string, std::string> chains = {};  ///< by the links' names
};

struct Rule {
  std::vector<Statement> statements;
  std::string comment = {};  ///< at most 128 bytes
};

/// Changes that the kernel makes all or none of. Put names what may be there already; objects made in the
/// transaction may be used further on in it.
class Transaction {
 public:
  explicit Transaction(Table table);

  /// Makes the table if it is not there.
  Transaction& put_table();
  /// Deleting a table that is not there fails.
  Transaction& delete_table();
  /// Makes the chain if it is not there. Errors (at commit): kAlreadyExists when one of that name
  /// but with another hook is.
  Transaction& put_chain(const Chain& chain);
  /// Removes the rules of a chain that is there.
  Transaction& flush_chain(std::string_view chain);
  /// Errors (at commit): kNotFound; kUnavailable when rules jump to it.
  Transaction& delete_chain(std::string_view chain);
  Transaction& append_rule(std::string_view chain, const Rule& rule);
  /// Errors (at commit): kNotFound.
  Transaction& delete_rule(std::string_view chain, std::uint64_t handle);

  /// Makes the set if it is not there. Errors (at commit): kAlreadyExists when one of that name but of
  /// another family is.
  Transaction& put_set(const AddressSet& set);
  /// Makes the set, which is there, hold these addresses and no others. Those of another family are left
  /// out.
  Transaction& fill_set(const AddressSet& set, std::span<const IpAddress> addresses);

  /// Makes a set, which is not there, of all addresses in these ranges of its family; they may overlap, or
  /// join.
  Transaction& make_range_set(const AddressSet& set, std::span<const Cidr> ranges);
  /// Makes a map, which is not there. Its chains are.
  Transaction& make_link_map(const LinkMap& map);
  /// Of either kind, and maps. Errors (at commit): kNotFound; kUnavailable when rules look it up.
  Transaction& delete_set(std::string_view set);

  [[nodiscard]] bool empty() const { return requests_.size() == 1; }

 private:
  friend Status commit(Socket& socket, Transaction transaction);

  [[nodiscard]] std::string name_of(std::string_view verb, std::string_view object,
                                    std::string_view name) const;
  /// `put` writes element number i, which takes at most 96 bytes.
  void put_elements(std::string_view set, std::size_t count,
                    const std::function<void(Writer&, std::size_t i)>& put);

  Table table_;
  std::vector<Request> requests_;  // the first is the opening bracket
  std::uint32_t sets_ = 0;         // number of the last set in this transaction
};

/// Errors: those of the first object that was refused, named: "put chain inet t postrouting (..): No such
/// file ...". Nothing has changed then.
Status commit(Socket& socket, Transaction transaction);

struct ListedRule {
  std::uint64_t handle = 0;  ///< stays when the rule is replaced
  std::string comment = {};
  /// What it does, as this kernel spells it, counters at 0: only to be compared, or searched for the name of
  /// a chain.
  std::string expressions = {};
  /// Of its first counter.
  struct Count {
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
  };
  Count count = {};

  /// Whether they are the same rule, whatever each has counted.
  bool operator==(const ListedRule& other) const {
    return handle == other.handle && comment == other.comment && expressions == other.expressions;
  }
};
/// In the order in which packets meet them; empty when the chain or table is not there.
Result<std::vector<ListedRule>> list_rules(Socket& socket, Family family, std::string_view table,
                                           std::string_view chain);
/// By the names of their chains, of a whole table; chains without rules are not in it.
Result<std::map<std::string, std::vector<ListedRule>>> list_all_rules(Socket& socket, Family family,
                                                                      std::string_view table);
/// The names of a table's chains, and of its sets and maps.
Result<std::vector<std::string>> list_chains(Socket& socket, Family family, std::string_view table);
Result<std::vector<std::string>> list_sets(Socket& socket, Family family, std::string_view table);
/// What a set of any kind, or a map, holds, as this kernel spells it, sorted: only to be compared.
Result<std::vector<std::string>> list_elements(Socket& socket, Family family, std::string_view table,
                                               std::string_view set);
/// The addresses of a set, in no order; empty when the set or table is not there.
Result<std::vector<IpAddress>> list_set(Socket& socket, Family family, std::string_view table,
                                        std::string_view set);
Result<bool> has_chain(Socket& socket, Family family, std::string_view table, std::string_view chain);

/// A chain that packets enter by themselves.
struct ListedBaseChain {
  Family family = Family::kInet;
  std::string table = {};
  std::string name = {};
  Hook hook = Hook::kPrerouting;
  bool drops = false;  ///< by its policy, what none of its rules decides
};
/// Of all tables of the families ip, ip6 and inet. A kernel without nf_tables has none.
Result<std::vector<ListedBaseChain>> list_base_chains(Socket& socket);

}  // namespace holdfast::nl::nft
