#include "common/netlink/wire.h"

#include <sys/socket.h>

namespace holdfast::nl {

int address_family(IpFamily family) { return family == IpFamily::kV4 ? AF_INET : AF_INET6; }

int address_family(std::optional<IpFamily> family) { return family ? address_family(*family) : AF_UNSPEC; }

IpAddress unspecified_address(IpFamily family) {
  return family == IpFamily::kV4 ? IpAddress::v4({}) : IpAddress::v6({});
}

std::optional<Cidr> to_cidr(const IpAddress& address, unsigned prefix) {
  auto cidr = Cidr::make(address, prefix);
  return cidr ? std::optional(*cidr) : std::nullopt;
}

}  // namespace holdfast::nl
