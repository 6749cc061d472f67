#include "common/netlink/nftables.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <iterator>
#include <utility>

#include "common/netlink/wire.h"

namespace holdfast::nl::nft {
namespace {

constexpr std::size_t kRuleMessageBytes = 4096;
constexpr std::size_t kCommentBytes = 128;
// The only kind of user data on tables, chains and rules that nft(8) shows: type 0, a comment with its NUL.
constexpr std::uint8_t kCommentType = 0;
constexpr std::uint32_t kRegister = NFT_REG_1;
// nft(8)'s numbers for what a set holds: the kernel keeps them for whoever shows the set.
constexpr std::uint32_t kIpv4AddressType = 7;
constexpr std::uint32_t kIpv6AddressType = 8;
// An attribute, which all elements of one message stand in, is shorter than 64 KiB.
constexpr std::size_t kAddressesAMessage = 1000;
constexpr std::size_t kSetMessageBytes = std::size_t{48} << 10;

int message_type(int message) { return NFNL_SUBSYS_NFTABLES << 8 | message; }

nfgenmsg generation(std::uint8_t family, std::uint16_t resource = 0) {
  nfgenmsg header{};
  header.nfgen_family = family;
  header.version = NFNETLINK_V0;
  header.res_id = htons(resource);
  return header;
}

nfgenmsg generation(Family family) { return generation(static_cast<std::uint8_t>(family)); }

std::string_view to_string(Family family) {
  switch (family) {
    case Family::kInet:
      return "inet";
    case Family::kIp:
      return "ip";
    case Family::kIp6:
      return "ip6";
    case Family::kBridge:
      break;
  }
  return "bridge";
}

Request bracket(int type) {
  return {"nf_tables transaction", Writer(type, 0, generation(AF_UNSPEC, NFNL_SUBSYS_NFTABLES), 64).take()};
}

void put_comment(Writer& writer, int type, std::string_view comment) {
  if (comment.empty()) return;
  std::string data{static_cast<char>(kCommentType),
                   static_cast<char>(std::min(comment.size(), kCommentBytes) + 1)};
  data += comment.substr(0, kCommentBytes);
  writer.bytes(type, data.c_str(), data.size() + 1);
}

std::string parse_comment(std::span<const std::uint8_t> data) {
  while (data.size() >= 2 && data.size() >= 2U + data[1]) {
    const std::span<const std::uint8_t> value = data.subspan(2, data[1]);
    if (data[0] == kCommentType) {
      return {value.begin(), std::find(value.begin(), value.end(), std::uint8_t{0})};
    }
    data = data.subspan(2U + data[1]);
  }
  return {};
}

/// Writes a rule's statements as the kernel's expressions, the way nft(8) does.
class Expressions {
 public:
  Expressions(Writer& writer, Family family) : writer_(writer), family_(family) {}

  void operator()(const MatchAddress& match) {
    const IpAddress address = match.cidr.network().address();
    const std::span<const std::uint8_t> bytes = address.bytes();
    load_address(match.side, address.family());
    if (match.cidr.prefix() < address.bits()) {
      std::vector<std::uint8_t> mask(bytes.size());
      for (std::size_t bit = 0; bit < match.cidr.prefix(); ++bit) {
        mask[bit / 8] = static_cast<std::uint8_t>(mask[bit / 8] | 0x80U >> bit % 8);
      }
      and_with(mask);
    }
    compare(match.comparison, bytes);
  }
  void operator()(const MatchEtherAddress& match) {
    const bool source = match.side == Side::kSource;
    load_payload(NFT_PAYLOAD_LL_HEADER,
                 source ? offsetof(ether_header, ether_shost) : offsetof(ether_header, ether_dhost),
                 match.mac.bytes().size());
    compare(match.comparison, match.mac.bytes());
  }
  void operator()(const MatchLinkName& match) {
    load_meta(match.side == Side::kSource ? NFT_META_IIFNAME : NFT_META_OIFNAME);
    std::array<std::uint8_t, IFNAMSIZ> padded{};
    std::copy_n(match.name.begin(), std::min(match.name.size(), padded.size()), padded.begin());
    compare(match.comparison, padded);
  }
  void operator()(const MatchMark& match) {
    load_meta(NFT_META_MARK);
    if (match.mask != 0xffffffff) and_with(bytes_of(match.mask));
    compare(match.comparison, bytes_of(match.value));
  }
  void operator()(const MatchSet& match) {
    load_address(match.side, match.family);
    expression("lookup", [&] {
      writer_.text(NFTA_LOOKUP_SET, match.set);
      writer_.be32(NFTA_LOOKUP_SREG, kRegister);
      if (match.comparison == Comparison::kNotEqual) writer_.be32(NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
    });
  }
  void operator()(const MatchUdpPort& match) {
    load_meta(NFT_META_L4PROTO);
    const std::uint8_t udp = IPPROTO_UDP;
    compare(Comparison::kEqual, {&udp, 1});
    const std::array<std::uint8_t, 2> port{static_cast<std::uint8_t>(match.port >> 8U),
                                           static_cast<std::uint8_t>(match.port)};
    load_payload(NFT_PAYLOAD_TRANSPORT_HEADER, offsetof(udphdr, uh_dport), port.size());
    compare(Comparison::kEqual, port);
  }
  void operator()(const Counter& /*unused*/) {
    expression("counter", [] {});
  }
  void operator()(const Masquerade& masquerade) {
    expression("masq", [&] {
      if (masquerade.fully_random) writer_.be32(NFTA_MASQ_FLAGS, NF_NAT_RANGE_PROTO_RANDOM_FULLY);
    });
  }
  void operator()(const Verdict& verdict) {
    expression("immediate", [&] {
      writer_.be32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
      writer_.nest(NFTA_IMMEDIATE_DATA, [&] {
        writer_.nest(NFTA_DATA_VERDICT, [&] {
          writer_.be32(NFTA_VERDICT_CODE, static_cast<std::uint32_t>(code_of(verdict.kind)));
          if (!verdict.chain.empty()) writer_.text(NFTA_VERDICT_CHAIN, verdict.chain);
        });
      });
    });
  }

 private:
  static int code_of(Verdict::Kind kind) {
    switch (kind) {
      case Verdict::Kind::kAccept:
        return NF_ACCEPT;
      case Verdict::Kind::kDrop:
        return NF_DROP;
      case Verdict::Kind::kReturn:
        return NFT_RETURN;
      case Verdict::Kind::kJump:
        return NFT_JUMP;
      case Verdict::Kind::kGoto:
        break;
    }
    return NFT_GOTO;
  }

  static std::array<std::uint8_t, 4> bytes_of(std::uint32_t value) {
    std::array<std::uint8_t, 4> bytes{};
    std::memcpy(bytes.data(), &value, bytes.size());
    return bytes;
  }

  template <class F>
  void expression(std::string_view name, F data) {
    writer_.nest(NFTA_LIST_ELEM, [&] {
      writer_.text(NFTA_EXPR_NAME, name);
      writer_.nest(NFTA_EXPR_DATA, data);
    });
  }
  void load_address(Side side, IpFamily family) {
    need_protocol(family);
    const bool source = side == Side::kSource;
    const bool v4 = family == IpFamily::kV4;
    const std::size_t offset = v4 ? (source ? offsetof(iphdr, saddr) : offsetof(iphdr, daddr))
                                  : (source ? offsetof(ip6_hdr, ip6_src) : offsetof(ip6_hdr, ip6_dst));
    load_payload(NFT_PAYLOAD_NETWORK_HEADER, offset, v4 ? 4 : 16);
  }
  void load_meta(std::uint32_t key) {
    expression("meta", [&] {
      writer_.be32(NFTA_META_DREG, kRegister);
      writer_.be32(NFTA_META_KEY, key);
    });
  }
  void load_payload(std::uint32_t base, std::size_t offset, std::size_t size) {
    expression("payload", [&] {
      writer_.be32(NFTA_PAYLOAD_DREG, kRegister);
      writer_.be32(NFTA_PAYLOAD_BASE, base);
      writer_.be32(NFTA_PAYLOAD_OFFSET, static_cast<std::uint32_t>(offset));
      writer_.be32(NFTA_PAYLOAD_LEN, static_cast<std::uint32_t>(size));
    });
  }
  void put_value(int type, std::span<const std::uint8_t> value) {
    writer_.nest(type, [&] { writer_.bytes(NFTA_DATA_VALUE, value.data(), value.size()); });
  }
  void and_with(std::span<const std::uint8_t> mask) {
    expression("bitwise", [&] {
      writer_.be32(NFTA_BITWISE_SREG, kRegister);
      writer_.be32(NFTA_BITWISE_DREG, kRegister);
      writer_.be32(NFTA_BITWISE_LEN, static_cast<std::uint32_t>(mask.size()));
      put_value(NFTA_BITWISE_MASK, mask);
      put_value(NFTA_BITWISE_XOR, std::vector<std::uint8_t>(mask.size()));
    });
  }
  void compare(Comparison comparison, std::span<const std::uint8_t> value) {
    expression("cmp", [&] {
      writer_.be32(NFTA_CMP_SREG, kRegister);
      writer_.be32(NFTA_CMP_OP, comparison == Comparison::kEqual ? NFT_CMP_EQ : NFT_CMP_NEQ);
      put_value(NFTA_CMP_DATA, value);
    });
  }
  /// Where a table sees several protocols, the one of the addresses is asked for, once in a rule.
  void need_protocol(IpFamily protocol) {
    if (known_protocol_ == protocol) return;
    known_protocol_ = protocol;
    if (family_ == Family::kInet) {
      load_meta(NFT_META_NFPROTO);
      const std::uint8_t number = protocol == IpFamily::kV4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
      compare(Comparison::kEqual, {&number, 1});
    }
    if (family_ == Family::kBridge) {
      load_meta(NFT_META_PROTOCOL);
      const std::uint16_t type = protocol == IpFamily::kV4 ? ETHERTYPE_IP : ETHERTYPE_IPV6;
      const std::array<std::uint8_t, 2> bytes{static_cast<std::uint8_t>(type >> 8U),
                                              static_cast<std::uint8_t>(type)};
      compare(Comparison::kEqual, bytes);
    }
  }

  Writer& writer_;
  Family family_;
  std::optional<IpFamily> known_protocol_;
};

/// A message about one chain and what is in it.
Writer chain_message(int message, int flags, const Table& table, int table_attribute, int chain_attribute,
                     std::string_view chain, std::size_t capacity = 512) {
  Writer writer(message_type(message), flags, generation(table.family), capacity);
  writer.text(table_attribute, table.name);
  writer.text(chain_attribute, chain);
  return writer;
}

std::optional<ListedRule> parse_rule(const nlmsghdr* message, std::string_view table,
                                     std::string_view chain) {
  if (message->nlmsg_type != message_type(NFT_MSG_NEWRULE)) return std::nullopt;
  const Attributes attributes(message, sizeof(nfgenmsg));
  // a kernel before 4.14 dumps all chains
  if (attributes.text(NFTA_RULE_TABLE) != table || attributes.text(NFTA_RULE_CHAIN) != chain)
    return std::nullopt;
  const std::span<const std::uint8_t> expressions = attributes.bytes(NFTA_RULE_EXPRESSIONS);
  return ListedRule{__builtin_bswap64(attributes.u64(NFTA_RULE_HANDLE).value_or(0)),
                    parse_comment(attributes.bytes(NFTA_RULE_USERDATA)),
                    {expressions.begin(), expressions.end()}};
}

}  // namespace

Transaction::Transaction(Table table) : table_(std::move(table)) {
  requests_.push_back(bracket(NFNL_MSG_BATCH_BEGIN));
}

std::string Transaction::name_of(std::string_view verb, std::string_view object,
                                 std::string_view name) const {
  std::string out(verb);
  for (const std::string_view part :
       {object, to_string(table_.family), std::string_view(table_.name), name}) {
    if (!part.empty()) out.append(" ").append(part);
  }
  return out;
}

Transaction& Transaction::put_table() {
  Writer writer(message_type(NFT_MSG_NEWTABLE), NLM_F_CREATE, generation(table_.family));
  writer.text(NFTA_TABLE_NAME, table_.name);
  put_comment(writer, NFTA_TABLE_USERDATA, table_.comment);
  requests_.emplace_back(name_of("put", "table", {}), std::move(writer).take());
  return *this;
}

Transaction& Transaction::delete_table() {
  Writer writer(message_type(NFT_MSG_DELTABLE), 0, generation(table_.family));
  writer.text(NFTA_TABLE_NAME, table_.name);
  requests_.emplace_back(name_of("delete", "table", {}), std::move(writer).take());
  return *this;
}

Transaction& Transaction::put_chain(const Chain& chain) {
  Writer writer = chain_message(NFT_MSG_NEWCHAIN, NLM_F_CREATE, table_, NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME,
                                chain.name, 1024);
  if (chain.base) {
    writer.nest(NFTA_CHAIN_HOOK, [&] {
      writer.be32(NFTA_HOOK_HOOKNUM, static_cast<std::uint32_t>(chain.base->hook));
      writer.be32(NFTA_HOOK_PRIORITY, static_cast<std::uint32_t>(chain.base->priority));
    });
    writer.be32(NFTA_CHAIN_POLICY, NF_ACCEPT);
    writer.text(NFTA_CHAIN_TYPE, chain.base->type);
  }
  put_comment(writer, NFTA_CHAIN_USERDATA, chain.comment);
  requests_.emplace_back(name_of("put", "chain", chain.name), std::move(writer).take());
  return *this;
}

Transaction& Transaction::flush_chain(std::string_view chain) {
  Writer writer = chain_message(NFT_MSG_DELRULE, 0, table_, NFTA_RULE_TABLE, NFTA_RULE_CHAIN, chain);
  requests_.emplace_back(name_of("flush", "chain", chain), std::move(writer).take());
  return *this;
}

Transaction& Transaction::delete_chain(std::string_view chain) {
  Writer writer = chain_message(NFT_MSG_DELCHAIN, 0, table_, NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME, chain);
  requests_.emplace_back(name_of("delete", "chain", chain), std::move(writer).take());
  return *this;
}

Transaction& Transaction::append_rule(std::string_view chain, const Rule& rule) {
  Writer writer = chain_message(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, table_, NFTA_RULE_TABLE,
                                NFTA_RULE_CHAIN, chain, kRuleMessageBytes);
  writer.nest(NFTA_RULE_EXPRESSIONS, [&] {
    Expressions expressions(writer, table_.family);
    for (const Statement& statement : rule.statements) std::visit(expressions, statement);
  });
  put_comment(writer, NFTA_RULE_USERDATA, rule.comment);
  requests_.emplace_back(name_of("append rule to", "chain", chain), std::move(writer).take());
  return *this;
}

Transaction& Transaction::delete_rule(std::string_view chain, std::uint64_t handle) {
  Writer writer = chain_message(NFT_MSG_DELRULE, 0, table_, NFTA_RULE_TABLE, NFTA_RULE_CHAIN, chain);
  writer.be64(NFTA_RULE_HANDLE, handle);
  requests_.emplace_back(name_of("delete rule " + std::to_string(handle) + " of", "chain", chain),
                         std::move(writer).take());
  return *this;
}

Transaction& Transaction::put_set(const AddressSet& set) {
  const bool v4 = set.family == IpFamily::kV4;
  Writer writer =
      chain_message(NFT_MSG_NEWSET, NLM_F_CREATE, table_, NFTA_SET_TABLE, NFTA_SET_NAME, set.name);
  writer.be32(NFTA_SET_FLAGS, 0);
  writer.be32(NFTA_SET_KEY_TYPE, v4 ? kIpv4AddressType : kIpv6AddressType);
  writer.be32(NFTA_SET_KEY_LEN, v4 ? 4 : 16);
  writer.be32(NFTA_SET_ID, ++sets_);
  requests_.emplace_back(name_of("put", "set", set.name), std::move(writer).take());
  return *this;
}

Transaction& Transaction::fill_set(const AddressSet& set, std::span<const IpAddress> addresses) {
  Writer flush = chain_message(NFT_MSG_DELSETELEM, 0, table_, NFTA_SET_ELEM_LIST_TABLE,
                               NFTA_SET_ELEM_LIST_SET, set.name);
  requests_.emplace_back(name_of("flush", "set", set.name), std::move(flush).take());
  std::vector<IpAddress> fitting;
  std::ranges::copy_if(addresses, std::back_inserter(fitting),
                       [&](const IpAddress& address) { return address.family() == set.family; });
  for (std::span<const IpAddress> rest = fitting; !rest.empty();) {
    const auto part = rest.first(std::min(rest.size(), kAddressesAMessage));
    rest = rest.subspan(part.size());
    Writer writer = chain_message(NFT_MSG_NEWSETELEM, NLM_F_CREATE, table_, NFTA_SET_ELEM_LIST_TABLE,
                                  NFTA_SET_ELEM_LIST_SET, set.name, kSetMessageBytes);
    writer.nest(NFTA_SET_ELEM_LIST_ELEMENTS, [&] {
      for (const IpAddress& address : part) {
        writer.nest(NFTA_LIST_ELEM, [&] {
          writer.nest(NFTA_SET_ELEM_KEY, [&] { writer.address(NFTA_DATA_VALUE, address); });
        });
      }
    });
    requests_.emplace_back(name_of("fill", "set", set.name), std::move(writer).take());
  }
  return *this;
}

Status commit(Socket& socket, Transaction transaction) {
  if (transaction.empty()) return {};
  transaction.requests_.push_back(bracket(NFNL_MSG_BATCH_END));
  return socket.run_transaction(transaction.requests_);
}

Result<std::vector<ListedRule>> list_rules(Socket& socket, Family family, std::string_view table,
                                           std::string_view chain) {
  Writer writer = chain_message(NFT_MSG_GETRULE, 0, {family, std::string(table), {}}, NFTA_RULE_TABLE,
                                NFTA_RULE_CHAIN, chain);
  Request request("list rules of chain " + std::string(chain), std::move(writer).take());
  return collect<ListedRule>(socket, std::move(request).tolerating(ENOENT),
                             [&](const nlmsghdr* message) { return parse_rule(message, table, chain); });
}

Result<std::vector<IpAddress>> list_set(Socket& socket, Family family, std::string_view table,
                                        std::string_view set) {
  Writer writer = chain_message(NFT_MSG_GETSETELEM, 0, {family, std::string(table), {}},
                                NFTA_SET_ELEM_LIST_TABLE, NFTA_SET_ELEM_LIST_SET, set);
  Request request("list set " + std::string(set), std::move(writer).take());
  std::vector<IpAddress> out;
  const auto keep = [&](const nlmsghdr* message) {
    const Attributes attributes(message, sizeof(nfgenmsg));
    for_each_attribute(attributes.find(NFTA_SET_ELEM_LIST_ELEMENTS), [&](const nlattr* element) {
      const Attributes key(Attributes(element).find(NFTA_SET_ELEM_KEY));
      if (const auto address = key.address(NFTA_DATA_VALUE)) out.push_back(*address);
    });
  };
  HOLDFAST_CHECK(socket.dump(
      std::move(request).tolerating(ENOENT), [&] { out.clear(); }, keep));
  return out;
}

Result<bool> has_chain(Socket& socket, Family family, std::string_view table, std::string_view chain) {
  Writer writer = chain_message(NFT_MSG_GETCHAIN, 0, {family, std::string(table), {}}, NFTA_CHAIN_TABLE,
                                NFTA_CHAIN_NAME, chain);
  Request request("find chain " + std::string(chain), std::move(writer).take());
  HOLDFAST_TRY(const std::optional<Reply> reply, socket.get(std::move(request).tolerating(ENOENT)));
  return reply.has_value();
}

}  // namespace holdfast::nl::nft
