#include "egw-gateway/core/reachability.h"

#include <algorithm>
#include <random>

#include "test/catch.h"

namespace holdfast::gateway {
namespace {

using firewall::AddressMatch;
using firewall::ConnectionMatch;
using firewall::Hook;
using firewall::LinkMatch;
using firewall::Rule;
using firewall::Target;

Cidr cidr(const std::string& text) { return Cidr::parse(text).value(); }
IpAddress address(const std::string& text) { return IpAddress::parse(text).value(); }

/// What of a packet rules look at.
struct Packet {
  std::string in;
  std::string out;
  IpAddress source;
  IpAddress destination;
  std::optional<ConnectionMatch> connection = std::nullopt;
  std::optional<std::uint16_t> udp_port = std::nullopt;
  std::optional<std::uint8_t> icmp_type = std::nullopt;
};

bool matches(const std::optional<LinkMatch>& match, const std::string& link) {
  if (!match) return true;
  return match->prefix ? link.starts_with(match->name) : link == match->name;
}

bool matches(const std::optional<AddressMatch>& match, const IpAddress& value) {
  if (!match) return true;
  if (!match->mask) return match->range.contains(value) != match->inverted;
  const auto bits = value.bytes();
  const auto mask = match->mask->bytes();
  const IpAddress base = match->range.address();
  const auto wanted = base.bytes();
  for (std::size_t i = 0; i < bits.size(); ++i) {
    if ((bits[i] & mask[i]) != wanted[i]) return match->inverted;
  }
  return !match->inverted;
}

/// What a chain does with the packet, as the kernel goes through it: the first rule that ends it, and its
/// number.
std::pair<Target, std::size_t> walk(const firewall::Chain& chain, const Packet& packet, bool& untracked) {
  for (std::size_t i = 0; i < chain.rules.size(); ++i) {
    const Rule& rule = chain.rules[i];
    if (!matches(rule.in_link, packet.in) || !matches(rule.out_link, packet.out) ||
        !matches(rule.source, packet.source) || !matches(rule.destination, packet.destination) ||
        (rule.connection && rule.connection != packet.connection) ||
        (rule.udp_port && rule.udp_port != packet.udp_port) ||
        (rule.icmp_type && rule.icmp_type != packet.icmp_type)) {
      continue;
    }
    if (rule.target == Target::kUntrack) {
      untracked = true;
      continue;
    }
    return {rule.target, i};
  }
  return {Target::kReturn, chain.rules.size()};
}

struct Fate {
  Passage passage = Passage::kDropped;
  Target target = Target::kDrop;
  bool untracked = false;
  bool translated = false;
};

const firewall::Chain& chain_of(const ReachabilityRules& rules, Hook hook, std::size_t* index = nullptr) {
  const auto found = std::ranges::find(rules.set.chains, hook, &firewall::Chain::hook);
  REQUIRE(found != rules.set.chains.end());
  if (index != nullptr) *index = static_cast<std::size_t>(found - rules.set.chains.begin());
  return *found;
}

Fate fate_of(const ReachabilityRules& rules, const Packet& packet) {
  Fate out;
  Packet arriving = packet;
  arriving.out.clear();
  walk(chain_of(rules, Hook::kRaw), arriving, out.untracked);
  Packet forwarded = packet;
  if (out.untracked) forwarded.connection.reset();
  std::size_t index = 0;
  bool ignored = false;
  const firewall::Chain& forward = chain_of(rules, Hook::kForward, &index);
  CHECK(forward.first);
  const auto [target, number] = walk(forward, forwarded, ignored);
  out.target = target;
  out.passage = rules.passages[index][number].value();
  const auto [nat, which] = walk(chain_of(rules, Hook::kPostrouting), forwarded, ignored);
  // what is not tracked is not translated
  out.translated = !out.untracked && nat == Target::kTranslateSource;
  return out;
}

Reachability pool() {
  Reachability out;
  out.edge_link = "eth0";
  out.tunnels = {"wg", true};
  out.pods = {cidr("10.244.0.0/16"), cidr("fd00:244::/48")};
  out.node_subnets = {cidr("10.244.1.0/24"), cidr("10.244.2.0/24"), cidr("fd00:244:0:1::/64"),
                      cidr("fd00:244:0:2::/64")};
  out.nodes = {address("192.168.77.1"), address("192.168.77.2"), address("2001:db8::1")};
  out.cloud_pods = {cidr("10.200.0.0/16"), cidr("fd00:200::/48")};
  out.vpc = {cidr("172.16.0.0/12"), cidr("fd00:172::/32")};
  out.translations = {address("10.99.0.1"), address("fd00:99::1")};
  out.access_points = {address("10.99.9.1"), address("fd00:99::9:1")};
  return out;
}

struct Cell {
  const char* name;
  const char* in;
  const char* from;
  const char* to;
  Passage passage;
  Target target;
};

TEST_CASE("Every cell of the matrix has its passage", "[egw-core]") {
  const Cell cells[] = {
      {"pod to VPC", "eth0", "10.244.1.9", "172.16.0.5", Passage::kPodToVpc, Target::kAccept},
      {"VPC to pod", "wg0", "172.16.0.5", "10.244.1.9", Passage::kVpcToPod, Target::kAccept},
      {"pod to cloud pod", "eth0", "10.244.2.255", "10.200.0.5", Passage::kPodToCloudPod, Target::kAccept},
      {"cloud pod to pod", "wg1", "10.200.0.5", "10.244.2.2", Passage::kCloudPodToPod, Target::kAccept},
      {"IPv6 pod to VPC", "eth0", "fd00:244:0:1::9", "fd00:172::5", Passage::kPodToVpc, Target::kAccept},
      {"IPv6 VPC to pod", "wg0", "fd00:172::5", "fd00:244:0:1::9", Passage::kVpcToPod, Target::kAccept},
      {"IPv6 cloud pod to pod", "wg0", "fd00:200::5", "fd00:244:0:2::9", Passage::kCloudPodToPod,
       Target::kAccept},
      {"node to VPC", "eth0", "192.168.77.2", "172.16.0.5", Passage::kNodeToVpc, Target::kAccept},
      {"node to cloud pod", "eth0", "192.168.77.1", "10.200.0.5", Passage::kNodeToCloudPod, Target::kAccept},
      {"node by its overlay address", "eth0", "10.244.1.0", "172.16.0.5", Passage::kNodeToVpc,
       Target::kAccept},
      {"node by its bridge's", "eth0", "10.244.2.1", "10.200.0.5", Passage::kNodeToCloudPod, Target::kAccept},
      {"IPv6 node", "eth0", "2001:db8::1", "fd00:172::5", Passage::kNodeToVpc, Target::kAccept},
      {"IPv6 node by its bridge's", "eth0", "fd00:244:0:2::1", "fd00:172::5", Passage::kNodeToVpc,
       Target::kAccept},
      {"VPC to node", "wg0", "172.16.0.5", "192.168.77.2", Passage::kRefusedToNode, Target::kRefuse},
      {"cloud pod to node", "wg0", "10.200.0.5", "192.168.77.2", Passage::kRefusedToNode, Target::kRefuse},
      {"VPC to a node's overlay address", "wg0", "172.16.0.5", "10.244.2.0", Passage::kRefusedToNode,
       Target::kRefuse},
      {"VPC to a node's bridge", "wg0", "172.16.0.5", "10.244.2.1", Passage::kRefusedToNode, Target::kRefuse},
      {"VPC to a bridge of a node that is not known", "wg0", "172.16.0.5", "10.244.9.1",
       Passage::kRefusedToNode, Target::kRefuse},
      {"IPv6 VPC to node", "wg0", "fd00:172::5", "2001:db8::1", Passage::kRefusedToNode, Target::kRefuse},
      {"IPv6 VPC to a node's bridge", "wg0", "fd00:172::5", "fd00:244:0:1::1", Passage::kRefusedToNode,
       Target::kRefuse},
      {"pod to elsewhere", "eth0", "10.244.1.9", "8.8.8.8", Passage::kDropped, Target::kDrop},
      {"elsewhere to pod", "wg0", "8.8.8.8", "10.244.1.9", Passage::kDropped, Target::kDrop},
      {"a machine at the edge that is no node", "eth0", "192.168.77.3", "172.16.0.5", Passage::kDropped,
       Target::kDrop},
      {"VPC to that machine", "wg0", "172.16.0.5", "192.168.77.3", Passage::kDropped, Target::kDrop},
      {"the VPC's address from the edge", "eth0", "172.16.0.5", "10.244.1.9", Passage::kDropped,
       Target::kDrop},
      {"a pod's address from the cloud", "wg0", "10.244.1.9", "172.16.0.5", Passage::kDropped, Target::kDrop},
      {"node to elsewhere", "eth0", "10.244.1.1", "8.8.8.8", Passage::kDropped, Target::kDrop},
  };
  for (const Cell& cell : cells) {
    DYNAMIC_SECTION(cell.name) {
      const IpAddress from = address(cell.from);
      const ReachabilityRules rules = reachability_rules(pool(), from.family());
      const bool to_edge = std::string(cell.in) != "eth0";
      const Fate fate =
          fate_of(rules, {cell.in, to_edge ? "eth0" : "wg0", from, address(cell.to), ConnectionMatch::kNew});
      CHECK(to_string(fate.passage) == to_string(cell.passage));
      CHECK(fate.target == cell.target);
      const bool of_pods = cell.passage <= Passage::kCloudPodToPod;
      CHECK(fate.untracked == of_pods);
      const bool of_node = cell.passage == Passage::kNodeToVpc || cell.passage == Passage::kNodeToCloudPod;
      if (fate.target == Target::kAccept) CHECK(fate.translated == of_node);
    }
  }
}

TEST_CASE("Pods hear what routers of any address beyond the tunnels say of their packets, and no more",
          "[egw-core]") {
  struct Said {
    const char* name;
    const char* in;
    const char* from;
    const char* to;
    std::uint8_t type;
    Passage passage;
  };
  const Said said[] = {
      {"destination unreachable", "wg0", "100.64.0.9", "10.244.1.9", 3, Passage::kErrorToPod},
      {"source quench", "wg0", "100.64.0.9", "10.244.1.9", 4, Passage::kErrorToPod},
      {"time exceeded", "wg1", "198.19.15.1", "10.244.1.9", 11, Passage::kErrorToPod},
      {"parameter problem", "wg0", "100.64.0.9", "10.244.1.9", 12, Passage::kErrorToPod},
      {"IPv6 destination unreachable", "wg0", "fd00:99::9", "fd00:244:0:1::9", 1, Passage::kErrorToPod},
      {"IPv6 packet too big", "wg0", "fd00:99::9", "fd00:244:0:1::9", 2, Passage::kErrorToPod},
      {"IPv6 time exceeded", "wg0", "fd00:99::9", "fd00:244:0:1::9", 3, Passage::kErrorToPod},
      {"IPv6 parameter problem", "wg0", "fd00:99::9", "fd00:244:0:1::9", 4, Passage::kErrorToPod},
      {"of the VPC's router", "wg0", "172.16.0.1", "10.244.1.9", 3, Passage::kVpcToPod},
      {"redirect", "wg0", "100.64.0.9", "10.244.1.9", 5, Passage::kDropped},
      {"echo", "wg0", "100.64.0.9", "10.244.1.9", 8, Passage::kDropped},
      {"IPv6 echo", "wg0", "fd00:99::9", "fd00:244:0:1::9", 128, Passage::kDropped},
      {"IPv6 router advertisement", "wg0", "fd00:99::9", "fd00:244:0:1::9", 134, Passage::kDropped},
      {"to a node's bridge", "wg0", "100.64.0.9", "10.244.1.1", 3, Passage::kRefusedToNode},
      {"to elsewhere", "wg0", "100.64.0.9", "192.168.77.9", 3, Passage::kDropped},
      {"from the edge", "eth0", "100.64.0.9", "10.244.1.9", 3, Passage::kDropped},
  };
  for (const Said& one : said) {
    DYNAMIC_SECTION(one.name) {
      const IpAddress from = address(one.from);
      Packet packet{one.in, "eth0", from, address(one.to)};
      packet.icmp_type = one.type;
      const Fate fate = fate_of(reachability_rules(pool(), from.family()), packet);
      CHECK(to_string(fate.passage) == to_string(one.passage));
    }
  }
}

TEST_CASE("Only answers reach a node", "[egw-core]") {
  const ReachabilityRules rules = reachability_rules(pool(), IpFamily::kV4);
  for (const char* node : {"192.168.77.2", "10.244.2.1"}) {
    Packet packet{"wg0", "eth0", address("172.16.0.5"), address(node), ConnectionMatch::kReply};
    CHECK(fate_of(rules, packet).passage == Passage::kAnswerToNode);
    packet.connection = ConnectionMatch::kNew;
    CHECK(fate_of(rules, packet).passage == Passage::kRefusedToNode);
    packet.connection.reset();
    CHECK(fate_of(rules, packet).passage == Passage::kRefusedToNode);
  }
}

TEST_CASE(
    "Of the cloud a gateway itself hears access points' liveness and answers, and liveness of nodes alone",
    "[egw-core]") {
  struct Knock {
    const char* name;
    const char* in;
    const char* from;
    std::optional<std::uint16_t> udp_port;
    ConnectionMatch connection;
    Target target;
  };
  const Knock knocks[] = {
      {"liveness", "wg0", "10.99.9.1", 3784, ConnectionMatch::kNew, Target::kAccept},
      {"IPv6 liveness", "wg0", "fd00:99::9:1", 3784, ConnectionMatch::kNew, Target::kAccept},
      {"an answer", "wg0", "172.16.0.5", std::nullopt, ConnectionMatch::kReply, Target::kAccept},
      {"liveness of somebody else", "wg0", "172.16.0.5", 3784, ConnectionMatch::kNew, Target::kDrop},
      {"a node's session from an access point", "wg0", "10.99.9.1", 4784, ConnectionMatch::kNew,
       Target::kDrop},
      {"an access point, not by UDP", "wg0", "10.99.9.1", std::nullopt, ConnectionMatch::kNew, Target::kDrop},
      {"IPv6 VPC", "wg1", "fd00:172::5", std::nullopt, ConnectionMatch::kNew, Target::kDrop},
      {"a node", "eth0", "192.168.77.2", 4784, ConnectionMatch::kNew, Target::kReturn},
      {"a node by its overlay address", "eth0", "10.244.2.0", 4784, ConnectionMatch::kNew, Target::kReturn},
      {"a pod's session", "eth0", "10.244.2.20", 4784, ConnectionMatch::kNew, Target::kDrop},
      {"somebody else's session", "eth0", "192.168.77.9", 4784, ConnectionMatch::kNew, Target::kDrop},
      {"IPv6 pod's session", "eth0", "fd00:244:0:2::20", 4784, ConnectionMatch::kNew, Target::kDrop},
      {"a kubelet", "eth0", "10.244.1.1", std::nullopt, ConnectionMatch::kNew, Target::kReturn},
  };
  for (const Knock& knock : knocks) {
    DYNAMIC_SECTION(knock.name) {
      const IpAddress from = address(knock.from);
      const ReachabilityRules rules = reachability_rules(pool(), from.family());
      const IpAddress us = address(from.is_v4() ? "10.99.0.1" : "fd00:99::1");
      bool ignored = false;
      const Packet packet{knock.in, "", from, us, knock.connection, knock.udp_port};
      CHECK(walk(chain_of(rules, Hook::kInput), packet, ignored).first == knock.target);
    }
  }
}

TEST_CASE("Nothing passes from the edge to the edge, or from one tunnel into another", "[egw-core]") {
  const ReachabilityRules rules = reachability_rules(pool(), IpFamily::kV4);
  for (const char* link : {"eth0", "wg0"}) {
    for (const char* from : {"10.244.1.9", "10.244.1.1", "192.168.77.1", "172.16.0.5", "10.200.0.5"}) {
      for (const char* to : {"10.244.2.9", "172.16.0.6", "10.200.0.6"}) {
        const Fate fate = fate_of(rules, {link, link, address(from), address(to), ConnectionMatch::kNew});
        CHECK(fate.target == Target::kDrop);
      }
    }
  }
}

TEST_CASE("Nodes of a family without a translation reach nothing", "[egw-core]") {
  Reachability wanted = pool();
  wanted.translations = {address("fd00:99::1")};
  const ReachabilityRules rules = reachability_rules(wanted, IpFamily::kV4);
  for (const char* node : {"192.168.77.1", "10.244.1.1"}) {
    CHECK(fate_of(rules, {"eth0", "wg0", address(node), address("172.16.0.5"), ConnectionMatch::kNew})
              .passage == Passage::kDropped);
  }
  CHECK(fate_of(rules, {"eth0", "wg0", address("10.244.1.9"), address("172.16.0.5"), {}}).passage ==
        Passage::kPodToVpc);
}

TEST_CASE("In a pod range of which no node is known there are no pods", "[egw-core]") {
  Reachability wanted = pool();
  wanted.node_subnets = {cidr("fd00:244:0:1::/64")};
  const ReachabilityRules rules = reachability_rules(wanted, IpFamily::kV4);
  CHECK(fate_of(rules, {"eth0", "wg0", address("10.244.1.9"), address("172.16.0.5"), {}}).passage ==
        Passage::kDropped);
  CHECK(fate_of(rules, {"wg0", "eth0", address("172.16.0.5"), address("10.244.1.1"), {}}).passage ==
        Passage::kDropped);
}

TEST_CASE("A node's address in a pod range is still a node's", "[egw-core]") {
  Reachability wanted = pool();
  wanted.nodes.push_back(address("10.244.1.77"));
  const ReachabilityRules rules = reachability_rules(wanted, IpFamily::kV4);
  CHECK(fate_of(rules, {"wg0", "eth0", address("172.16.0.5"), address("10.244.1.77"), {}}).passage ==
        Passage::kRefusedToNode);
}

TEST_CASE("Nodes whose subnets have one size cost one match, others one each", "[egw-core]") {
  const Cidr range = cidr("10.244.0.0/16");
  CHECK(own_addresses(range, {}).empty());
  CHECK(own_addresses(range, {cidr("10.1.0.0/24")}).empty());
  const auto masked = own_addresses(range, {cidr("10.244.1.0/24"), cidr("10.244.200.0/24")});
  REQUIRE(masked.size() == 1);
  CHECK(masked[0].range == range);
  CHECK(masked[0].mask == address("255.255.0.254"));
  const auto both = own_addresses(range, {cidr("10.244.1.0/25"), cidr("10.244.2.0/24")});
  REQUIRE(both.size() == 2);
  CHECK(both[0] == AddressMatch{cidr("10.244.1.0/31")});
  CHECK(both[1] == AddressMatch{cidr("10.244.2.0/31")});
  CHECK(own_addresses(cidr("10.244.7.0/24"), {cidr("10.244.7.0/24")}) ==
        std::vector<AddressMatch>{{cidr("10.244.7.0/31")}});
  CHECK(own_addresses(range, {cidr("10.244.7.8/32")}) == std::vector<AddressMatch>{{cidr("10.244.7.8/32")}});
  const auto v6 = own_addresses(cidr("fd00::/48"), {cidr("fd00:0:0:5::/64")});
  REQUIRE(v6.size() == 1);
  CHECK(v6[0].mask == address("ffff:ffff:ffff:0:ffff:ffff:ffff:fffe"));
}

TEST_CASE("Whatever the nodes' subnets are, their first two addresses are theirs and no pod's is",
          "[egw-core]") {
  std::mt19937 random(7);
  const auto below = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
  for (unsigned round = 0; round < 300; ++round) {
    const Cidr range = Cidr::make(IpAddress::v4({10, 244, 0, 0}), 16).value();
    const unsigned sizes = 1 + below(2);
    std::vector<Cidr> subnets;
    const unsigned nodes = 1 + below(20);
    for (unsigned i = 0; i < nodes; ++i) {
      const unsigned prefix = 20 + 2 * below(sizes) + (round % 5);
      const auto third = static_cast<std::uint8_t>(below(256));
      const auto fourth = static_cast<std::uint8_t>(below(256));
      subnets.push_back(Cidr::make(IpAddress::v4({10, 244, third, fourth}), prefix).value().network());
    }
    const std::vector<AddressMatch> own = own_addresses(range, subnets);
    for (const Cidr& subnet : subnets) {
      for (std::uint64_t n = 0; n < 4; ++n) {
        const IpAddress one = subnet.first().plus(n).value();
        const bool known = std::ranges::any_of(own, [&](const AddressMatch& m) { return matches(m, one); });
        // a smaller subnet may begin inside a bigger one
        const bool begins = std::ranges::any_of(subnets, [&](const Cidr& other) {
          const auto distance = one.distance_from(other.first());
          return distance && *distance < 2;
        });
        CHECK(known == begins);
      }
    }
  }
}

TEST_CASE("Counts are summed by passage", "[egw-core]") {
  const ReachabilityRules rules = reachability_rules(pool(), IpFamily::kV4);
  std::vector<std::vector<firewall::RuleCount>> counts;
  std::size_t refusing = 0;
  for (const auto& passages : rules.passages) {
    counts.emplace_back(passages.size(), firewall::RuleCount{1, 100});
    refusing += static_cast<std::size_t>(std::ranges::count(passages, Passage::kRefusedToNode));
  }
  PassageCounts sums{};
  add_counts(rules, counts, sums);
  add_counts(rules, counts, sums);
  CHECK(refusing == 3);  // the masked pair, and two nodes
  CHECK(sums.at(static_cast<std::size_t>(Passage::kRefusedToNode)) == firewall::RuleCount{6, 600});
  CHECK(sums.at(static_cast<std::size_t>(Passage::kVpcToPod)) == firewall::RuleCount{2, 200});
}

}  // namespace
}  // namespace holdfast::gateway
