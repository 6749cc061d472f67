#include "common/netlink/nftables.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <utility>

#include "common/netlink/nftables_expressions.h"
#include "common/netlink/wire.h"

namespace holdfast::nl::nft {
namespace {

constexpr std::size_t kRuleMessageBytes = 4096;
constexpr std::size_t kCommentBytes = 128;
// The only kind of user data on tables, chains and rules that nft(8) shows: type 0, a comment with its NUL.
constexpr std::uint8_t kCommentType = 0;
// nft(8)'s numbers for what a set holds: the kernel keeps them for whoever shows the set.
constexpr std::uint32_t kIpv4AddressType = 7;
constexpr std::uint32_t kIpv6AddressType = 8;
constexpr std::uint32_t kLinkNameType = 41;
// User data by which nft(8) shows a map's links: type 0, the order of a key's bytes, of 4 bytes: the host's.
constexpr std::array<std::uint8_t, 2> kKeyOrder{0, sizeof(std::uint32_t)};
constexpr std::uint32_t kHostOrder = 1;
// An attribute, which all elements of one message stand in, is shorter than 64 KiB.
constexpr std::size_t kElementsAMessage = 500;
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

/// A message about one chain and what is in it.
Writer chain_message(int message, int flags, const Table& table, int table_attribute, int chain_attribute,
                     std::string_view chain, std::size_t capacity = 512) {
  Writer writer(message_type(message), flags, generation(table.family), capacity);
  writer.text(table_attribute, table.name);
  writer.text(chain_attribute, chain);
  return writer;
}

/// Moves what counters say from the rule's expressions, which begin at `expressions`, to its count.
void take_counts(const nlattr* list, std::span<const std::uint8_t> expressions, ListedRule& rule) {
  bool counted = false;
  for_each_attribute(list, [&](const nlattr* element) {
    const Attributes expression(element);
    if (expression.text(NFTA_EXPR_NAME) != "counter") return;
    const Attributes counter(expression.find(NFTA_EXPR_DATA));
    const auto take = [&](int type) {
      const std::span<const std::uint8_t> bytes = counter.bytes(type);
      const std::uint64_t value = __builtin_bswap64(counter.u64(type).value_or(0));
      if (!bytes.empty()) {
        const auto offset = static_cast<std::size_t>(bytes.data() - expressions.data());
        rule.expressions.replace(offset, bytes.size(), bytes.size(), '\0');
      }
      return value;
    };
    const ListedRule::Count count{take(NFTA_COUNTER_PACKETS), take(NFTA_COUNTER_BYTES)};
    if (!std::exchange(counted, true)) rule.count = count;
  });
}

ListedRule parse_rule(const Attributes& attributes) {
  const std::span<const std::uint8_t> expressions = attributes.bytes(NFTA_RULE_EXPRESSIONS);
  ListedRule out{__builtin_bswap64(attributes.u64(NFTA_RULE_HANDLE).value_or(0)),
                 parse_comment(attributes.bytes(NFTA_RULE_USERDATA)),
                 {expressions.begin(), expressions.end()}};
  take_counts(attributes.find(NFTA_RULE_EXPRESSIONS), expressions, out);
  return out;
}

Writer set_message(const Table& table, const AddressSet& set, std::uint32_t flags, std::uint32_t id) {
  const bool v4 = set.family == IpFamily::kV4;
  Writer writer = chain_message(NFT_MSG_NEWSET, NLM_F_CREATE, table, NFTA_SET_TABLE, NFTA_SET_NAME, set.name);
  writer.be32(NFTA_SET_FLAGS, flags);
  writer.be32(NFTA_SET_KEY_TYPE, v4 ? kIpv4AddressType : kIpv6AddressType);
  writer.be32(NFTA_SET_KEY_LEN, v4 ? 4 : 16);
  writer.be32(NFTA_SET_ID, id);
  return writer;
}

void put_address(Writer& writer, const IpAddress& address) {
  writer.nest(NFTA_SET_ELEM_KEY, [&] { writer.address(NFTA_DATA_VALUE, address); });
}

/// Where a range of a set begins, or the first address behind its end.
struct Border {
  IpAddress address;
  bool end = false;
};

/// In order, of ranges that are apart from each other. As nft does it, all that is before the first is told
/// to be in none.
std::vector<Border> borders_of(IpFamily family, std::span<const Cidr> ranges) {
  std::vector<Cidr> sorted;
  std::ranges::copy_if(ranges, std::back_inserter(sorted),
                       [family](const Cidr& range) { return range.family() == family; });
  std::ranges::sort(sorted, {}, &Cidr::first);
  std::vector<Border> out;
  const IpAddress lowest = family == IpFamily::kV4 ? IpAddress::v4({}) : IpAddress::v6({});
  if (!sorted.empty() && sorted.front().first() != lowest) out.push_back({lowest, true});
  std::optional<IpAddress> last;
  for (const Cidr& range : sorted) {
    const bool joins = last && (range.first() <= *last || range.first() == last->plus(1));
    if (!joins) {
      if (last) out.push_back({last->plus(1).value_or(lowest), true});
      out.push_back({range.first(), false});
    }
    last = last ? std::max(*last, range.last()) : range.last();
  }
  const std::optional<IpAddress> behind = last ? last->plus(1) : std::nullopt;
  if (behind) out.push_back({*behind, true});
  return out;
}

/// The names of all objects of a kind in a table.
Result<std::vector<std::string>> list_names(Socket& socket, Family family, std::string_view table, int get,
                                            int table_attribute, int name_attribute) {
  Writer writer(message_type(get), 0, generation(family));
  writer.text(table_attribute, table);
  Request request("list objects of table " + std::string(table), std::move(writer).take());
  const auto parse = [&](const nlmsghdr* message) -> std::optional<std::string> {
    const Attributes attributes(message, sizeof(nfgenmsg));
    // chains are dumped of all tables
    if (attributes.text(table_attribute) != table) return std::nullopt;
    return std::string(attributes.text(name_attribute));
  };
  return collect<std::string>(socket, std::move(request).tolerating(ENOENT), parse);
}

Status for_each_element(Socket& socket, Family family, std::string_view table, std::string_view set,
                        const std::function<void()>& restart,
                        const std::function<void(const nlattr*)>& each) {
  Writer writer = chain_message(NFT_MSG_GETSETELEM, 0, {family, std::string(table), {}},
                                NFTA_SET_ELEM_LIST_TABLE, NFTA_SET_ELEM_LIST_SET, set);
  Request request("list set " + std::string(set), std::move(writer).take());
  return socket.dump(std::move(request).tolerating(ENOENT), restart, [&](const nlmsghdr* message) {
    const Attributes attributes(message, sizeof(nfgenmsg));
    for_each_attribute(attributes.find(NFTA_SET_ELEM_LIST_ELEMENTS), each);
  });
}

std::optional<ListedBaseChain> parse_base_chain(const nlmsghdr* message) {
  if (message->nlmsg_type != message_type(NFT_MSG_NEWCHAIN)) return std::nullopt;
  const auto* header = header_of<nfgenmsg>(message);
  if (header == nullptr) return std::nullopt;
  const auto family = static_cast<Family>(header->nfgen_family);
  if (family != Family::kIp && family != Family::kIp6 && family != Family::kInet) return std::nullopt;
  const Attributes attributes(message, sizeof(nfgenmsg));
  const nlattr* place = attributes.find(NFTA_CHAIN_HOOK);
  if (place == nullptr) return std::nullopt;
  const std::uint32_t hook = ntohl(Attributes(place).u32(NFTA_HOOK_HOOKNUM).value_or(0));
  const std::uint32_t policy = ntohl(attributes.u32(NFTA_CHAIN_POLICY).value_or(htonl(NF_ACCEPT)));
  return ListedBaseChain{family, std::string(attributes.text(NFTA_CHAIN_TABLE)),
                         std::string(attributes.text(NFTA_CHAIN_NAME)), static_cast<Hook>(hook),
                         policy == NF_DROP};
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
  writer.nest(NFTA_RULE_EXPRESSIONS, [&] { put_expressions(writer, table_.family, rule.statements); });
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
  Writer writer = set_message(table_, set, 0, ++sets_);
  requests_.emplace_back(name_of("put", "set", set.name), std::move(writer).take());
  return *this;
}

void Transaction::put_elements(std::string_view set, std::size_t count,
                               const std::function<void(Writer&, std::size_t i)>& put) {
  for (std::size_t from = 0; from < count; from += kElementsAMessage) {
    Writer writer = chain_message(NFT_MSG_NEWSETELEM, NLM_F_CREATE, table_, NFTA_SET_ELEM_LIST_TABLE,
                                  NFTA_SET_ELEM_LIST_SET, set, kSetMessageBytes);
    writer.nest(NFTA_SET_ELEM_LIST_ELEMENTS, [&] {
      for (std::size_t i = from; i < std::min(count, from + kElementsAMessage); ++i) {
        writer.nest(NFTA_LIST_ELEM, [&] { put(writer, i); });
      }
    });
    requests_.emplace_back(name_of("fill", "set", set), std::move(writer).take());
  }
}

Transaction& Transaction::fill_set(const AddressSet& set, std::span<const IpAddress> addresses) {
  Writer flush = chain_message(NFT_MSG_DELSETELEM, 0, table_, NFTA_SET_ELEM_LIST_TABLE,
                               NFTA_SET_ELEM_LIST_SET, set.name);
  requests_.emplace_back(name_of("flush", "set", set.name), std::move(flush).take());
  std::vector<IpAddress> fitting;
  std::ranges::copy_if(addresses, std::back_inserter(fitting),
                       [&](const IpAddress& address) { return address.family() == set.family; });
  put_elements(set.name, fitting.size(),
               [&](Writer& writer, std::size_t i) { put_address(writer, fitting[i]); });
  return *this;
}

Transaction& Transaction::make_range_set(const AddressSet& set, std::span<const Cidr> ranges) {
  Writer writer = set_message(table_, set, NFT_SET_INTERVAL, ++sets_);
  requests_.emplace_back(name_of("make", "set", set.name), std::move(writer).take());
  const std::vector<Border> borders = borders_of(set.family, ranges);
  put_elements(set.name, borders.size(), [&](Writer& to, std::size_t i) {
    if (borders[i].end) to.be32(NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
    put_address(to, borders[i].address);
  });
  return *this;
}

Transaction& Transaction::make_link_map(const LinkMap& map) {
  Writer writer =
      chain_message(NFT_MSG_NEWSET, NLM_F_CREATE, table_, NFTA_SET_TABLE, NFTA_SET_NAME, map.name);
  writer.be32(NFTA_SET_FLAGS, NFT_SET_MAP);
  writer.be32(NFTA_SET_KEY_TYPE, kLinkNameType);
  writer.be32(NFTA_SET_KEY_LEN, IFNAMSIZ);
  writer.be32(NFTA_SET_DATA_TYPE, NFT_DATA_VERDICT);
  writer.be32(NFTA_SET_DATA_LEN, 0);
  writer.be32(NFTA_SET_ID, ++sets_);
  // one that is told its size is not made larger later, and meanwhile listed in parts
  writer.nest(NFTA_SET_DESC,
              [&] { writer.be32(NFTA_SET_DESC_SIZE, static_cast<std::uint32_t>(map.chains.size())); });
  std::array<std::uint8_t, kKeyOrder.size() + sizeof kHostOrder> order{};
  std::ranges::copy(kKeyOrder, order.begin());
  std::memcpy(order.data() + kKeyOrder.size(), &kHostOrder, sizeof kHostOrder);
  writer.bytes(NFTA_SET_USERDATA, order.data(), order.size());
  requests_.emplace_back(name_of("make", "map", map.name), std::move(writer).take());
  const std::vector<std::pair<std::string, std::string>> chains(map.chains.begin(), map.chains.end());
  put_elements(map.name, chains.size(), [&](Writer& to, std::size_t i) {
    const std::array<std::uint8_t, IFNAMSIZ> link = padded_link(chains[i].first);
    to.nest(NFTA_SET_ELEM_KEY, [&] { to.bytes(NFTA_DATA_VALUE, link.data(), link.size()); });
    to.nest(NFTA_SET_ELEM_DATA, [&] { put_verdict(to, {Verdict::Kind::kJump, chains[i].second}); });
  });
  return *this;
}

Transaction& Transaction::delete_set(std::string_view set) {
  Writer writer = chain_message(NFT_MSG_DELSET, 0, table_, NFTA_SET_TABLE, NFTA_SET_NAME, set);
  requests_.emplace_back(name_of("delete", "set", set), std::move(writer).take());
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
  const auto parse = [&](const nlmsghdr* message) -> std::optional<ListedRule> {
    if (message->nlmsg_type != message_type(NFT_MSG_NEWRULE)) return std::nullopt;
    const Attributes attributes(message, sizeof(nfgenmsg));
    // a kernel before 4.14 dumps all chains
    if (attributes.text(NFTA_RULE_TABLE) != table || attributes.text(NFTA_RULE_CHAIN) != chain)
      return std::nullopt;
    return parse_rule(attributes);
  };
  return collect<ListedRule>(socket, std::move(request).tolerating(ENOENT), parse);
}

Result<std::map<std::string, std::vector<ListedRule>>> list_all_rules(Socket& socket, Family family,
                                                                      std::string_view table) {
  Writer writer(message_type(NFT_MSG_GETRULE), 0, generation(family));
  writer.text(NFTA_RULE_TABLE, table);
  Request request("list rules of table " + std::string(table), std::move(writer).take());
  std::map<std::string, std::vector<ListedRule>> out;
  const auto keep = [&](const nlmsghdr* message) {
    const Attributes attributes(message, sizeof(nfgenmsg));
    if (message->nlmsg_type != message_type(NFT_MSG_NEWRULE) || attributes.text(NFTA_RULE_TABLE) != table)
      return;
    out[std::string(attributes.text(NFTA_RULE_CHAIN))].push_back(parse_rule(attributes));
  };
  HOLDFAST_CHECK(socket.dump(
      std::move(request).tolerating(ENOENT), [&] { out.clear(); }, keep));
  return out;
}

Result<std::vector<std::string>> list_chains(Socket& socket, Family family, std::string_view table) {
  return list_names(socket, family, table, NFT_MSG_GETCHAIN, NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME);
}

Result<std::vector<std::string>> list_sets(Socket& socket, Family family, std::string_view table) {
  return list_names(socket, family, table, NFT_MSG_GETSET, NFTA_SET_TABLE, NFTA_SET_NAME);
}

Result<std::vector<std::string>> list_elements(Socket& socket, Family family, std::string_view table,
                                               std::string_view set) {
  std::vector<std::string> out;
  const auto keep = [&](const nlattr* element) {
    const auto* data = static_cast<const char*>(nla_data(element));
    out.emplace_back(data, static_cast<std::size_t>(nla_len(element)));
  };
  HOLDFAST_CHECK(for_each_element(
      socket, family, table, set, [&] { out.clear(); }, keep));
  std::ranges::sort(out);
  return out;
}

Result<std::vector<ListedBaseChain>> list_base_chains(Socket& socket) {
  Request request("list chains", Writer(message_type(NFT_MSG_GETCHAIN), 0, generation(AF_UNSPEC), 64).take());
  return collect<ListedBaseChain>(socket, std::move(request).tolerating(EINVAL), parse_base_chain);
}

Result<std::vector<IpAddress>> list_set(Socket& socket, Family family, std::string_view table,
                                        std::string_view set) {
  std::vector<IpAddress> out;
  const auto keep = [&](const nlattr* element) {
    const Attributes key(Attributes(element).find(NFTA_SET_ELEM_KEY));
    if (const auto address = key.address(NFTA_DATA_VALUE)) out.push_back(*address);
  };
  HOLDFAST_CHECK(for_each_element(
      socket, family, table, set, [&] { out.clear(); }, keep));
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
