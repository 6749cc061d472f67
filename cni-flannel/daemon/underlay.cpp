#include "cni-flannel/daemon/underlay.h"

#include <algorithm>
#include <regex>
#include <utility>

#include "common/netlink/route_lookup.h"

namespace holdfast::flannel {
namespace {

bool is_own(const UnderlayChoice& choice, const std::string& name) {
  return std::ranges::find(choice.own_links, name) != choice.own_links.end();
}

/// "eth0 (192.168.1.7), lo (127.0.0.1)"
std::string list_of(const UnderlayChoice& choice, const UnderlayTables& tables) {
  std::string out;
  for (const nl::Link& link : tables.links) {
    if (is_own(choice, link.name)) continue;
    out += (out.empty() ? "" : ", ") + link.name;
    std::string addresses;
    for (const nl::Address& address : tables.addresses) {
      if (address.ifindex != link.index || address.scope != nl::Scope::kUniverse) continue;
      addresses += (addresses.empty() ? "" : " ") + address.cidr.address().to_string();
    }
    if (!addresses.empty()) out += " (" + addresses + ")";
  }
  return out;
}

const nl::Link* link_of_index(const UnderlayChoice& choice, const UnderlayTables& tables, int index) {
  const auto found = std::ranges::find_if(
      tables.links, [&](const nl::Link& link) { return link.index == index && !is_own(choice, link.name); });
  return found == tables.links.end() ? nullptr : &*found;
}

/// The link of that name, or that has that address.
const nl::Link* find_link(const UnderlayChoice& choice, const UnderlayTables& tables,
                          const std::string& wanted) {
  const Result<IpAddress> address = IpAddress::parse(wanted);
  for (const nl::Link& link : tables.links) {
    if (is_own(choice, link.name)) continue;
    if (link.name == wanted) return &link;
    const bool has = address && std::ranges::any_of(tables.addresses, [&](const nl::Address& a) {
                       return a.ifindex == link.index && a.cidr.address() == *address;
                     });
    if (has) return &link;
  }
  return nullptr;
}

/// The link of the default route with the lowest metric, of IPv4 before IPv6.
const nl::Link* default_link(const UnderlayChoice& choice, const UnderlayTables& tables, bool ipv4) {
  const nl::Route* best = nullptr;
  for (const nl::Route& route : tables.routes) {
    const bool candidate = route.dst.prefix() == 0 && route.dst.is_v4() == ipv4 && route.ifindex != 0 &&
                           route.type == nl::RouteType::kUnicast;
    if (!candidate || link_of_index(choice, tables, route.ifindex) == nullptr) continue;
    if (best == nullptr || route.priority < best->priority) best = &route;
  }
  return best == nullptr ? nullptr : link_of_index(choice, tables, best->ifindex);
}

/// The link of the first address, else the first name, in which `pattern` is found.
const nl::Link* find_matching(const UnderlayChoice& choice, const UnderlayTables& tables,
                              const std::string& pattern) {
  const std::regex regex(pattern);  // was checked when it was read
  for (const nl::Address& address : tables.addresses) {
    if (!std::regex_search(address.cidr.address().to_string(), regex)) continue;
    if (const nl::Link* found = link_of_index(choice, tables, address.ifindex)) return found;
  }
  const auto named = std::ranges::find_if(tables.links, [&](const nl::Link& link) {
    return !is_own(choice, link.name) && std::regex_search(link.name, regex);
  });
  return named == tables.links.end() ? nullptr : &*named;
}

std::string joined(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : ", ") + text;
  return out;
}

/// What was asked for by name, pattern or destination; nullptr when none of it is there.
const nl::Link* find_asked(const UnderlayChoice& choice, const UnderlayTables& tables) {
  for (const std::string& wanted : choice.interfaces) {
    if (const nl::Link* found = find_link(choice, tables, wanted)) return found;
  }
  for (const std::string& pattern : choice.patterns) {
    if (const nl::Link* found = find_matching(choice, tables, pattern)) return found;
  }
  if (!choice.can_reach) return nullptr;
  const nl::Route* way = nl::best_route(tables.routes, *choice.can_reach);
  return way == nullptr ? nullptr : link_of_index(choice, tables, way->ifindex);
}

/// "no interface eth9 (--iface); no way to 10.0.0.1 (--iface-can-reach)"
std::string describe_asked(const UnderlayChoice& choice) {
  std::string out;
  const auto add = [&out](const std::string& text) { out += (out.empty() ? "" : "; ") + text; };
  for (const std::string& name : choice.interfaces) {
    if (is_own(choice, name)) add(name + " stands on the tunnels itself: name the interface below them");
  }
  if (!choice.interfaces.empty())
    add("no interface " + joined(choice.interfaces) + " (" + choice.interfaces_flag + ")");
  if (!choice.patterns.empty()) add("none matches " + joined(choice.patterns) + " (--iface-regex)");
  if (choice.can_reach) add("no way to " + choice.can_reach->to_string() + " (--iface-can-reach)");
  return out;
}

Result<const nl::Link*> choose_link(const UnderlayChoice& choice, const UnderlayTables& tables) {
  const std::string asked = describe_asked(choice);
  if (!asked.empty()) {
    if (const nl::Link* found = find_asked(choice, tables)) return found;
    return fail(Code::kNotFound, asked + "; there are: " + list_of(choice, tables));
  }
  const nl::Link* found = nullptr;
  if (choice.public_ip) found = find_link(choice, tables, choice.public_ip->to_string());
  if (found == nullptr && choice.ipv4) found = default_link(choice, tables, true);
  if (found == nullptr && choice.ipv6) found = default_link(choice, tables, false);
  if (found == nullptr) {
    return fail(Code::kNotFound,
                "no default route tells the external interface; name one by --iface; there are: " +
                    list_of(choice, tables));
  }
  return found;
}

bool is_named(const UnderlayChoice& choice, const IpAddress& address) {
  return std::ranges::find(choice.addresses, address) != choice.addresses.end() ||
         std::ranges::any_of(choice.interfaces, [&](const std::string& named) {
           const Result<IpAddress> parsed = IpAddress::parse(named);
           return parsed && *parsed == address;
         });
}

Result<IpAddress> choose_address(const UnderlayChoice& choice, const UnderlayTables& tables,
                                 const nl::Link& link, IpFamily family,
                                 const std::optional<IpAddress>& before) {
  std::optional<IpAddress> kept;
  std::optional<IpAddress> first;
  for (const nl::Address& address : tables.addresses) {
    const bool fits = address.ifindex == link.index && address.cidr.family() == family &&
                      address.scope == nl::Scope::kUniverse && !address.dad_failed;
    if (!fits) continue;
    if (is_named(choice, address.cidr.address())) return address.cidr.address();
    if (address.cidr.address() == before) kept = before;
    if (!first) first = address.cidr.address();
  }
  if (kept) return *kept;
  if (first) return *first;
  return fail(Code::kFailedPrecondition, "interface " + link.name + " has no global " +
                                             (family == IpFamily::kV4 ? "IPv4" : "IPv6") + " address");
}

}  // namespace

bool UnderlayChoice::is_told() const {
  return !interfaces.empty() || !patterns.empty() || can_reach || public_ip || public_ipv6;
}

Result<Underlay> choose_underlay(const UnderlayChoice& choice, const UnderlayTables& tables,
                                 const Underlay* before) {
  HOLDFAST_TRY(const nl::Link* link, choose_link(choice, tables));
  Underlay out;
  out.link = *link;
  if (choice.ipv4) {
    HOLDFAST_TRY(out.local,
                 choose_address(choice, tables, *link, IpFamily::kV4, before ? before->local : std::nullopt));
    out.public_ip = choice.public_ip ? choice.public_ip : out.local;
  }
  if (choice.ipv6) {
    HOLDFAST_TRY(out.local6, choose_address(choice, tables, *link, IpFamily::kV6,
                                            before ? before->local6 : std::nullopt));
    out.public_ipv6 = choice.public_ipv6 ? choice.public_ipv6 : out.local6;
  }
  return out;
}

Result<UnderlayTables> read_underlay_tables(nl::Socket& socket) {
  UnderlayTables out;
  HOLDFAST_TRY(out.links, nl::list_links(socket));
  HOLDFAST_TRY(out.addresses, nl::list_addresses(socket));
  HOLDFAST_TRY(out.routes, nl::list_routes(socket));
  return out;
}

}  // namespace holdfast::flannel
