#pragma once

#include <optional>

#include "common/netlink/address.h"
#include "common/netlink/link.h"
#include "common/netlink/neighbour.h"
#include "common/netlink/route.h"
#include "common/netlink/rule.h"

struct nlmsghdr;

// For the .cpp files of this folder only: what dumps, gets and the monitor read.
// All give nullopt for a message that does not describe such an object.
namespace holdfast::nl {

std::optional<Link> parse_link(const nlmsghdr* message);
std::optional<Address> parse_address(const nlmsghdr* message);
std::optional<Route> parse_route(const nlmsghdr* message);
std::optional<Rule> parse_rule(const nlmsghdr* message);
std::optional<Neighbour> parse_neighbour(const nlmsghdr* message);
std::optional<FdbEntry> parse_fdb(const nlmsghdr* message);

}  // namespace holdfast::nl
