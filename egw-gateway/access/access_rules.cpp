#include "egw-gateway/access/access_rules.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "egw-gateway/access/own_ranges.h"
#include "egw-gateway/bfd/transport.h"

namespace holdfast::gateway {
namespace {

using firewall::AddressMatch;
using firewall::ChainLink;
using firewall::Hook;
using firewall::LinkMatch;
using firewall::Rule;
using firewall::Target;

/// Any of those of the family; nothing when there is none.
std::optional<AddressMatch> any_of(const std::vector<Cidr>& ranges, IpFamily family) {
  std::optional<AddressMatch> out;
  for (const Cidr& range : ranges) {
    if (range.family() != family) continue;
    if (out) {
      out->others.push_back(range.network());
    } else {
      out = AddressMatch{range.network()};
    }
  }
  return out;
}

std::vector<Cidr> host_ranges(const std::vector<IpAddress>& addresses) {
  std::vector<Cidr> out;
  out.reserve(addresses.size());
  for (const IpAddress& address : addresses) out.push_back(host_range(address));
  return out;
}

/// The chains that packets of one kind meet: the trunk, and what the names of its links' chains begin with.
struct ChainNames {
  Hook hook;
  const char* iptables;
  const char* comment;
  const char* nft;
};
constexpr ChainNames kRaw{Hook::kRaw, "EGW-ACCESS-RAW", "egw-access untracked", "untracked"};
constexpr ChainNames kRawOwn{Hook::kRawOwn, "EGW-ACCESS-OWN", "egw-access own", "own"};
constexpr ChainNames kInput{Hook::kInput, "EGW-ACCESS-INPUT", "egw-access input", "input"};
constexpr ChainNames kForward{Hook::kForward, "EGW-ACCESS-FORWARD", "egw-access forward", "forward"};

constexpr const char* kLinks = "EGW-LINK-";

class RulesWriter {
 public:
  RulesWriter(const AccessPlan& plan, const std::vector<IpAddress>& routers, IpFamily family)
      : plan_(plan), routers_(any_of(host_ranges(routers), family)), family_(family) {
    out_.family = family;
    out_.nft_table = "egw-access";
    out_.nft_table_comment = "rules of egw-access";
    out_.iptables_links = kLinks;
  }

  firewall::RuleSet run() {
    write_raw();
    write_raw_own();
    write_input();
    write_forward();
    for (const ServedPool& pool : plan_.pools) {
      for (const GatewayWay& way : pool.ways) {
        write_liveness(pool, way);
        write_from(pool, way);
        write_to(pool, way);
      }
    }
    return std::move(out_);
  }

 private:
  void begin(const ChainNames& names) {
    out_.chains.push_back({names.hook, true, {}, names.iptables, names.comment, names.nft, ""});
  }
  /// `mark` tells the chain apart from the link's others.
  void begin(const ChainNames& trunk, const GatewayWay& way, ChainLink::Side side, const std::string& mark) {
    begin(trunk);
    firewall::Chain& chain = out_.chains.back();
    chain.iptables_name = kLinks + mark + "-" + way.link;
    chain.nft_name = mark + "-" + way.link;
    chain.link = ChainLink{side, way.link};
  }
  void add(Rule rule) { out_.chains.back().rules.push_back(std::move(rule)); }

  void write_raw() {
    begin(kRaw);
    add({.target = Target::kUntrack, .in_link = any_tunnel_, .udp_port = bfd::kSingleHopPort});
    if (routers_) add({.source = routers_, .target = Target::kUntrack, .udp_port = bfd::kSingleHopPort});
    std::vector<Cidr> ranges;
    for (const ServedPool& pool : plan_.pools)
      ranges.insert(ranges.end(), pool.pods.begin(), pool.pods.end());
    const std::optional<AddressMatch> pods = any_of(ranges, family_);
    if (!pods) return;
    add({.source = pods, .target = Target::kUntrack});
    add({.destination = pods, .target = Target::kUntrack});
  }
  /// A table of connections that is full, or is made room in, is not to end sessions: each direction of one
  /// is a connection that nothing ever answers.
  void write_raw_own() {
    begin(kRawOwn);
    add({.target = Target::kUntrack, .out_link = any_tunnel_, .udp_port = bfd::kSingleHopPort});
    if (routers_) add({.destination = routers_, .target = Target::kUntrack, .udp_port = bfd::kSingleHopPort});
  }
  void write_input() {
    begin(kInput);
    add({.target = Target::kAccept, .in_link = any_tunnel_, .connection = firewall::ConnectionMatch::kReply});
    add({.target = Target::kDrop, .in_link = any_tunnel_, .counted = true});
  }
  void write_forward() {
    begin(kForward);
    out_.chains.back().first = true;
    add({.target = Target::kDrop, .in_link = any_tunnel_, .counted = true});
    add({.target = Target::kDrop, .out_link = any_tunnel_, .counted = true});
  }

  void write_liveness(const ServedPool& pool, const GatewayWay& way) {
    const std::optional<AddressMatch> peer = any_of(host_ranges(way.addresses), family_);
    const std::optional<AddressMatch> local = any_of(host_ranges(pool.addresses), family_);
    if (!peer || !local) return;
    begin(kInput, way, ChainLink::Side::kIn, "OWN");
    add({.source = peer, .destination = local, .target = Target::kAccept, .udp_port = bfd::kSingleHopPort});
  }
  void write_from(const ServedPool& pool, const GatewayWay& way) {
    const std::optional<AddressMatch> edge = edge_of(pool, way);
    const std::optional<AddressMatch> cloud = any_of(pool.cloud, family_);
    if (!edge || !cloud) return;
    begin(kForward, way, ChainLink::Side::kIn, "IN");
    add({.source = edge, .destination = cloud, .target = Target::kAccept});
  }
  void write_to(const ServedPool& pool, const GatewayWay& way) {
    const std::optional<AddressMatch> edge = edge_of(pool, way);
    if (!edge) return;
    begin(kForward, way, ChainLink::Side::kOut, "OUT");
    if (const std::optional<AddressMatch> cloud = any_of(pool.cloud, family_))
      add({.source = cloud, .destination = edge, .target = Target::kAccept});
    const std::optional<AddressMatch> pods = any_of(pool.pods, family_);
    if (!pods) return;
    // pods' packets are not kept track of, so nothing else knows what an error is about
    for (const std::uint8_t type : firewall::icmp_error_types(family_)) {
      add({.destination = pods, .target = Target::kAccept, .icmp_type = type});
    }
  }

  /// Where packets of a gateway's tunnel may come from: its pool's pods, and itself.
  [[nodiscard]] std::optional<AddressMatch> edge_of(const ServedPool& pool, const GatewayWay& way) const {
    std::vector<Cidr> ranges = host_ranges(way.addresses);
    ranges.insert(ranges.end(), pool.pods.begin(), pool.pods.end());
    return any_of(ranges, family_);
  }

  const AccessPlan& plan_;
  const std::optional<AddressMatch> routers_;
  const IpFamily family_;
  const LinkMatch any_tunnel_{std::string(kAccessLinkPrefix), true};
  firewall::RuleSet out_;
};

}  // namespace

firewall::RuleSet access_rules(const AccessPlan& plan, const std::vector<IpAddress>& routers,
                               IpFamily family) {
  return RulesWriter(plan, routers, family).run();
}

}  // namespace holdfast::gateway
