#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/result.h"

namespace holdfast::gateway {

/// How many addresses of the API server, and its proxy, a node keeps off the gateways: who answers for their
/// names decides what these are, and of a range that is not to be much.
inline constexpr std::size_t kMostServers = 8;

/// Addresses that names have, in order, each once.
struct ServerAddresses {
  std::vector<IpAddress> addresses{};
  std::string trouble{};  ///< what is wrong with the names, and the cure; empty: nothing

  bool operator==(const ServerAddresses&) const = default;
};
/// `found`: of each name; `before`: the addresses that counted, which count on while a name has none, and
/// when the names have more than kMostServers. Pure.
[[nodiscard]] ServerAddresses server_addresses(const std::vector<Result<std::vector<IpAddress>>>& found,
                                               const std::vector<IpAddress>& before);

}  // namespace holdfast::gateway
