#include "egw-gateway/access/access_rules.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "egw-gateway/bfd/transport.h"

namespace holdfast::gateway {
namespace {

using firewall::AddressMatch;
using firewall::Hook;
using firewall::LinkMatch;
using firewall::Rule;
using firewall::Target;

std::vector<AddressMatch> matches(const std::vector<Cidr>& ranges, IpFamily family) {
  std::vector<AddressMatch> out;
  for (const Cidr& range : ranges) {
    if (range.family() == family) out.push_back({range.network()});
  }
  return out;
}

std::vector<AddressMatch> matches(const std::vector<IpAddress>& addresses, IpFamily family) {
  std::vector<Cidr> ranges;
  ranges.reserve(addresses.size());
  for (const IpAddress& address : addresses) {
    ranges.push_back(Cidr::make(address, address.bits()).value_or(Cidr()));
  }
  return matches(ranges, family);
}

class RulesWriter {
 public:
  RulesWriter(const AccessPlan& plan, IpFamily family) : plan_(plan), family_(family) {
    out_.family = family;
    out_.nft_table = "egw-access";
    out_.nft_table_comment = "rules of egw-access";
  }

  firewall::RuleSet run() {
    write_raw();
    write_input();
    write_forward();
    return std::move(out_);
  }

 private:
  void begin(Hook hook, const char* iptables_name, const char* comment, const char* nft_name) {
    out_.chains.push_back({hook, true, {}, iptables_name, comment, nft_name, ""});
  }
  void add(Rule rule) { out_.chains.back().rules.push_back(std::move(rule)); }

  void write_raw() {
    begin(Hook::kRaw, "EGW-ACCESS-RAW", "egw-access untracked", "untracked");
    for (const ServedPool& pool : plan_.pools) {
      for (const AddressMatch& pods : matches(pool.pods, family_)) {
        add({.source = pods, .target = Target::kUntrack});
        add({.destination = pods, .target = Target::kUntrack});
      }
    }
  }
  void write_input() {
    begin(Hook::kInput, "EGW-ACCESS-INPUT", "egw-access input", "input");
    for (const ServedPool& pool : plan_.pools) {
      for (const GatewayWay& way : pool.ways) {
        for (const AddressMatch& peer : matches(way.addresses, family_)) {
          for (const AddressMatch& local : matches(pool.addresses, family_)) {
            add({.source = peer,
                 .destination = local,
                 .target = Target::kAccept,
                 .in_link = LinkMatch{way.link},
                 .udp_port = bfd::kSingleHopPort});
          }
        }
      }
    }
    add({.target = Target::kAccept, .in_link = any_tunnel_, .connection = firewall::ConnectionMatch::kReply});
    add({.target = Target::kDrop, .in_link = any_tunnel_, .counted = true});
  }
  void write_forward() {
    begin(Hook::kForward, "EGW-ACCESS-FORWARD", "egw-access forward", "forward");
    out_.chains.back().first = true;
    for (const ServedPool& pool : plan_.pools) {
      const std::vector<AddressMatch> pods = matches(pool.pods, family_);
      const std::vector<AddressMatch> cloud = matches(pool.cloud, family_);
      for (const GatewayWay& way : pool.ways) {
        write_way(way.link, pods, cloud);
        write_errors(way.link, pods);
        write_way(way.link, matches(way.addresses, family_), cloud);
      }
    }
    add({.target = Target::kDrop, .in_link = any_tunnel_, .counted = true});
    add({.target = Target::kDrop, .out_link = any_tunnel_, .counted = true});
  }
  void write_way(const std::string& link, const std::vector<AddressMatch>& edge,
                 const std::vector<AddressMatch>& cloud) {
    for (const AddressMatch& near : edge) {
      for (const AddressMatch& far : cloud) {
        add({.source = near, .destination = far, .target = Target::kAccept, .in_link = LinkMatch{link}});
        add({.source = far, .destination = near, .target = Target::kAccept, .out_link = LinkMatch{link}});
      }
    }
  }

  /// Pods' packets are not kept track of, so nothing else knows what an error is about.
  void write_errors(const std::string& link, const std::vector<AddressMatch>& pods) {
    for (const AddressMatch& near : pods) {
      for (const std::uint8_t type : firewall::icmp_error_types(family_)) {
        add({.destination = near, .target = Target::kAccept, .out_link = LinkMatch{link}, .icmp_type = type});
      }
    }
  }

  const AccessPlan& plan_;
  const IpFamily family_;
  const LinkMatch any_tunnel_{std::string(kAccessLinkPrefix), true};
  firewall::RuleSet out_;
};

}  // namespace

firewall::RuleSet access_rules(const AccessPlan& plan, IpFamily family) {
  return RulesWriter(plan, family).run();
}

}  // namespace holdfast::gateway
