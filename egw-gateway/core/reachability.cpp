#include "egw-gateway/core/reachability.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "egw-gateway/bfd/transport.h"

namespace holdfast::gateway {
namespace {

using firewall::AddressMatch;
using firewall::ConnectionMatch;
using firewall::Hook;
using firewall::LinkMatch;
using firewall::Rule;
using firewall::Target;

constexpr unsigned kPairBits = 1;  // of a pair of addresses, the base and the gateway of a node's subnet

/// A cloud range, and how packets to it and from it are counted.
struct CloudRange {
  AddressMatch match;
  Passage from_pod;
  Passage to_pod;
  Passage from_node;
};

/// What of the wanted is one family's.
struct Sides {
  std::vector<AddressMatch> pods;
  std::vector<AddressMatch> own;    ///< in the pod ranges
  std::vector<AddressMatch> nodes;  ///< outside of them
  std::vector<CloudRange> cloud;
  std::vector<AddressMatch> access_points;
  std::optional<IpAddress> translation;
};

IpAddress with_bits(const IpAddress& like, const std::vector<bool>& bits) {
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t i = 0; i < bits.size(); ++i) {
    if (bits[i]) bytes.at(i / 8) = static_cast<std::uint8_t>(bytes.at(i / 8) | 0x80U >> i % 8);
  }
  return like.is_v4() ? IpAddress::v4({bytes[0], bytes[1], bytes[2], bytes[3]}) : IpAddress::v6(bytes);
}

/// The first two addresses of every block of `prefix` bits in `range`.
AddressMatch pairs_of(const Cidr& range, unsigned prefix) {
  const unsigned bits = range.address().bits();
  std::vector<bool> mask(bits, true);
  std::fill(mask.begin() + range.prefix(), mask.begin() + prefix, false);
  mask.back() = false;
  return {range.network(), false, with_bits(range.address(), mask)};
}

AddressMatch pair_of(const Cidr& subnet) {
  const unsigned bits = subnet.address().bits();
  const unsigned prefix = std::max<unsigned>(subnet.prefix(), bits - kPairBits);
  return {Cidr::make(subnet.first(), prefix).value_or(subnet)};
}

AddressMatch whole(const IpAddress& address) {
  return {Cidr::make(address, address.bits()).value_or(Cidr())};
}

void add_nodes(const std::vector<IpAddress>& nodes, const std::vector<Cidr>& pods, IpFamily family,
               Sides& sides) {
  for (const IpAddress& node : std::set<IpAddress>(nodes.begin(), nodes.end())) {
    if (node.family() != family) continue;
    const bool in_pods = std::ranges::any_of(pods, [&](const Cidr& range) { return range.contains(node); });
    (in_pods ? sides.own : sides.nodes).push_back(whole(node));
  }
}

Sides sides_of(const Reachability& wanted, IpFamily family) {
  Sides out;
  for (const Cidr& range : wanted.pods) {
    if (range.family() != family) continue;
    const std::vector<AddressMatch> own = own_addresses(range, wanted.node_subnets);
    if (own.empty()) continue;
    out.pods.push_back({range.network()});
    out.own.insert(out.own.end(), own.begin(), own.end());
  }
  add_nodes(wanted.nodes, wanted.pods, family, out);
  for (const Cidr& range : wanted.cloud_pods) {
    if (range.family() != family) continue;
    out.cloud.push_back(
        {{range.network()}, Passage::kPodToCloudPod, Passage::kCloudPodToPod, Passage::kNodeToCloudPod});
  }
  for (const Cidr& range : wanted.vpc) {
    if (range.family() != family) continue;
    out.cloud.push_back({{range.network()}, Passage::kPodToVpc, Passage::kVpcToPod, Passage::kNodeToVpc});
  }
  for (const IpAddress& address : wanted.access_points) {
    if (address.family() == family) out.access_points.push_back(whole(address));
  }
  for (const IpAddress& address : wanted.translations) {
    if (address.family() == family) out.translation = address;
  }
  return out;
}

/// Writes the chains of one family.
class RulesWriter {
 public:
  RulesWriter(const Reachability& wanted, IpFamily family)
      : edge_{wanted.edge_link}, tunnels_(wanted.tunnels), sides_(sides_of(wanted, family)) {
    out_.set.family = family;
    out_.set.nft_table = "egw-core";
    out_.set.nft_table_comment = "rules of egw-core";
  }

  ReachabilityRules run() {
    write_raw();
    write_raw_own();
    begin(Hook::kMangle, "EGW-MSS", "egw-core mss", "mss");
    add({.target = Target::kClampMss});
    write_input();
    write_forward();
    write_postrouting();
    return std::move(out_);
  }

 private:
  void begin(Hook hook, const char* iptables_name, const char* comment, const char* nft_name) {
    out_.set.chains.push_back({hook, true, {}, iptables_name, comment, nft_name, ""});
    out_.passages.emplace_back();
  }
  void add(Rule rule, std::optional<Passage> passage = std::nullopt) {
    rule.counted = passage.has_value();
    out_.set.chains.back().rules.push_back(std::move(rule));
    out_.passages.back().push_back(passage);
  }

  /// A table of connections that is full, or is made room in, is not to end sessions: each direction of one
  /// is a connection that nothing ever answers.
  void write_raw_own() {
    begin(Hook::kRawOwn, "EGW-OWN", "egw-core own", "own");
    add({.target = Target::kUntrack, .out_link = edge_, .udp_port = bfd::kMultihopPort});
    add({.target = Target::kUntrack, .out_link = tunnels_, .udp_port = bfd::kSingleHopPort});
  }
  void untrack_liveness() {
    for (const AddressMatch& pods : sides_.pods) {
      add({.destination = pods,
           .target = Target::kUntrack,
           .in_link = edge_,
           .udp_port = bfd::kMultihopPort});
    }
    for (const AddressMatch& point : sides_.access_points) {
      add({.source = point,
           .target = Target::kUntrack,
           .in_link = tunnels_,
           .udp_port = bfd::kSingleHopPort});
    }
  }

  void write_raw() {
    begin(Hook::kRaw, "EGW-UNTRACKED", "egw-core untracked", "untracked");
    untrack_liveness();
    for (const AddressMatch& own : sides_.own) {
      add({.source = own, .target = Target::kReturn, .in_link = edge_});
      add({.destination = own, .target = Target::kReturn, .in_link = tunnels_});
    }
    for (const AddressMatch& pods : sides_.pods) {
      for (const CloudRange& cloud : sides_.cloud) {
        add({.source = pods, .destination = cloud.match, .target = Target::kUntrack, .in_link = edge_});
        add({.source = cloud.match, .destination = pods, .target = Target::kUntrack, .in_link = tunnels_});
      }
    }
  }

  /// All sessions of nodes have one queue, which nobody else is to fill: keys are looked at behind it.
  void write_liveness() {
    for (const std::vector<AddressMatch>* const nodes : {&sides_.own, &sides_.nodes}) {
      for (const AddressMatch& node : *nodes) {
        add({.source = node, .target = Target::kReturn, .in_link = edge_, .udp_port = bfd::kMultihopPort});
      }
    }
    add({.target = Target::kDrop, .in_link = edge_, .udp_port = bfd::kMultihopPort});
  }

  /// Health, metrics and the nodes' sessions are not the cloud's business.
  void write_input() {
    begin(Hook::kInput, "EGW-CORE-INPUT", "egw-core input", "input");
    write_liveness();
    for (const AddressMatch& point : sides_.access_points) {
      add({.source = point, .target = Target::kAccept, .in_link = tunnels_, .udp_port = bfd::kSingleHopPort});
    }
    add({.target = Target::kAccept, .in_link = tunnels_, .connection = ConnectionMatch::kReply});
    add({.target = Target::kDrop, .in_link = tunnels_}, Passage::kRefusedToGateway);
  }

  /// From a node into the cloud.
  void accept_from_node(const AddressMatch& node) {
    if (!sides_.translation) return;
    for (const CloudRange& cloud : sides_.cloud) {
      add({.source = node,
           .destination = cloud.match,
           .target = Target::kAccept,
           .in_link = edge_,
           .out_link = tunnels_},
          cloud.from_node);
    }
  }

  void refuse_to_node(const AddressMatch& node) {
    add({.destination = node, .target = Target::kRefuse, .in_link = tunnels_}, Passage::kRefusedToNode);
  }

  void accept_pods(const AddressMatch& pods, const CloudRange& cloud) {
    add({.source = pods,
         .destination = cloud.match,
         .target = Target::kAccept,
         .in_link = edge_,
         .out_link = tunnels_},
        cloud.from_pod);
    add({.source = cloud.match,
         .destination = pods,
         .target = Target::kAccept,
         .in_link = tunnels_,
         .out_link = edge_},
        cloud.to_pod);
  }

  /// Pods' packets are not kept track of, so nothing else knows what an error is about.
  void accept_errors(const AddressMatch& pods) {
    for (const std::uint8_t type : firewall::icmp_error_types(out_.set.family)) {
      add({.destination = pods,
           .target = Target::kAccept,
           .in_link = tunnels_,
           .out_link = edge_,
           .icmp_type = type},
          Passage::kErrorToPod);
    }
  }

  void write_forward() {
    begin(Hook::kForward, "EGW-FORWARD", "egw-core forward", "forward");
    out_.set.chains.back().first = true;
    add({.target = Target::kAccept,
         .in_link = tunnels_,
         .out_link = edge_,
         .connection = ConnectionMatch::kReply},
        Passage::kAnswerToNode);
    for (const AddressMatch& own : sides_.own) {
      refuse_to_node(own);
      accept_from_node(own);
      // else a pod rule below, which holds these addresses too, would let them through
      add({.source = own, .target = Target::kDrop}, Passage::kDropped);
    }
    for (const AddressMatch& pods : sides_.pods) {
      for (const CloudRange& cloud : sides_.cloud) accept_pods(pods, cloud);
      accept_errors(pods);
    }
    for (const AddressMatch& node : sides_.nodes) {
      refuse_to_node(node);
      accept_from_node(node);
    }
    add({.target = Target::kDrop}, Passage::kDropped);
  }

  void write_postrouting() {
    begin(Hook::kPostrouting, "EGW-NODES", "egw-core nodes", "nodes");
    if (!sides_.translation) return;
    for (const std::vector<AddressMatch>* const nodes : {&sides_.own, &sides_.nodes}) {
      for (const AddressMatch& node : *nodes) {
        add({.source = node,
             .target = Target::kTranslateSource,
             .out_link = tunnels_,
             .translation = sides_.translation});
      }
    }
  }

  LinkMatch edge_;
  LinkMatch tunnels_;
  Sides sides_;
  ReachabilityRules out_;
};

}  // namespace

std::string_view to_string(Passage passage) {
  constexpr std::array<std::string_view, kPassages> kNames{
      "pod-to-vpc",  "vpc-to-pod",        "pod-to-cloud-pod", "cloud-pod-to-pod", "error-to-pod",
      "node-to-vpc", "node-to-cloud-pod", "answer-to-node",   "refused-to-node",  "refused-to-gateway",
      "dropped"};
  return kNames.at(static_cast<std::size_t>(passage));
}

std::vector<AddressMatch> own_addresses(const Cidr& range, const std::vector<Cidr>& subnets) {
  std::set<Cidr> inside;
  std::set<unsigned> sizes;
  for (const Cidr& subnet : subnets) {
    if (!range.contains(subnet)) continue;
    inside.insert(subnet.network());
    sizes.insert(subnet.prefix());
  }
  if (inside.empty()) return {};
  const unsigned prefix = *sizes.begin();
  const unsigned bits = range.address().bits();
  if (sizes.size() == 1 && prefix > range.prefix() && prefix < bits - kPairBits) {
    return {pairs_of(range, prefix)};
  }
  std::vector<AddressMatch> out;
  std::ranges::transform(inside, std::back_inserter(out), pair_of);
  return out;
}

ReachabilityRules reachability_rules(const Reachability& wanted, IpFamily family) {
  return RulesWriter(wanted, family).run();
}

void add_counts(const ReachabilityRules& rules, const std::vector<std::vector<firewall::RuleCount>>& counts,
                PassageCounts& sums) {
  for (std::size_t chain = 0; chain < std::min(rules.passages.size(), counts.size()); ++chain) {
    const auto& passages = rules.passages[chain];
    for (std::size_t i = 0; i < std::min(passages.size(), counts[chain].size()); ++i) {
      if (!passages[i]) continue;
      firewall::RuleCount& sum = sums.at(static_cast<std::size_t>(*passages[i]));
      sum.packets += counts[chain][i].packets;
      sum.bytes += counts[chain][i].bytes;
    }
  }
}

}  // namespace holdfast::gateway
