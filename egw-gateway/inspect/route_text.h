#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/base/cidr.h"
#include "common/netlink/route.h"

namespace holdfast::gateway {

/// As ip-route(8) shows it: "172.16.0.0/12 via 10.244.1.0 dev flannel.1 onlink metric 37 table 20158"; the
/// table main is not named.
[[nodiscard]] std::string route_text(const nl::Route& route, const std::map<int, std::string>& link_names);

/// "10.0.0.0/8, 172.16.0.0/12"; "none" for none.
[[nodiscard]] std::string list_text(const std::vector<Cidr>& ranges);

}  // namespace holdfast::gateway
