#include "egw-gateway/access/own_ranges.h"

#include "common/netlink/address.h"
#include "common/netlink/route.h"

namespace holdfast::gateway {

Cidr host_range(const IpAddress& address) { return Cidr::make(address, address.bits()).value_or(Cidr()); }

Result<std::vector<OwnRange>> own_ranges(nl::Socket& socket) {
  HOLDFAST_TRY(const std::vector<nl::Address> addresses, nl::list_addresses(socket));
  HOLDFAST_TRY(const std::vector<nl::Route> routes, nl::list_routes(socket));
  std::vector<OwnRange> out;
  out.reserve(addresses.size() + routes.size());
  for (const nl::Address& address : addresses) {
    out.push_back({address.cidr.network(), "a network of this machine"});
  }
  for (const nl::Route& route : routes) {
    if (route.dst.prefix() == 0 && route.gateway) out.push_back({host_range(*route.gateway), "its router"});
  }
  return out;
}

}  // namespace holdfast::gateway
