#pragma once

#include <string>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/result.h"
#include "common/netlink/socket.h"

namespace holdfast::gateway {

/// Something of this machine's own that no pool's pods may be.
struct OwnRange {
  Cidr range{};
  std::string what{};  ///< for people

  bool operator==(const OwnRange&) const = default;
};

/// Networks and addresses of this machine's links, and the routers that its default routes lead to. Errors:
/// errno of netlink(7).
[[nodiscard]] Result<std::vector<OwnRange>> own_ranges(nl::Socket& socket);

/// The one address.
[[nodiscard]] Cidr host_range(const IpAddress& address);

}  // namespace holdfast::gateway
