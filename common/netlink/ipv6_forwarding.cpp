#include "common/netlink/ipv6_forwarding.h"

#include <linux/rtnetlink.h>

#include <optional>
#include <string>
#include <vector>

#include "common/netlink/link.h"
#include "common/netlink/route.h"
#include "common/netlink/sysctl.h"

namespace holdfast::nl {
namespace {

constexpr std::string_view kUnlessForwarding = "1";
constexpr std::string_view kAlways = "2";

Status keep_advertised(Socket& socket, int ifindex) {
  HOLDFAST_TRY(const std::optional<Link> link, find_link(socket, ifindex));
  if (!link) return {};  // its routes went with it
  const std::string key = "net/ipv6/conf/" + link->name + "/accept_ra";
  HOLDFAST_TRY(const std::string accepts, get_sysctl(key));
  if (accepts != kUnlessForwarding) return {};  // 0: a program of the host takes them
  return set_sysctl(key, kAlways);
}

}  // namespace

Status forward_ipv6(Socket& socket) {
  HOLDFAST_TRY(const std::string before, get_sysctl(kIpv6Forwarding));
  if (before != "0") return {};
  HOLDFAST_TRY(const std::vector<Route> routes,
               list_routes(socket, {.table = 0, .family = IpFamily::kV6, .protocol = RTPROT_RA}));
  for (const Route& route : routes) {
    if (route.dst.prefix() != 0) continue;
    HOLDFAST_CHECK(keep_advertised(socket, route.ifindex));
  }
  return set_sysctl(kIpv6Forwarding, "1");
}

}  // namespace holdfast::nl
