#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/result.h"
#include "common/netlink/request.h"
#include "common/netlink/socket.h"

namespace holdfast::nl {

/// Source: linux/rtnetlink.h, RT_SCOPE_*.
enum class Scope : std::uint8_t { kUniverse = 0, kSite = 200, kLink = 253, kHost = 254, kNowhere = 255 };

struct Address {
  int ifindex = 0;
  Cidr cidr;  ///< with host bits
  Scope scope = Scope::kUniverse;
  std::optional<IpAddress> broadcast = std::nullopt;
  bool permanent = false;   ///< IFA_F_PERMANENT: no lifetime
  bool tentative = false;   ///< duplicate address detection is still running
  bool dad_failed = false;  ///< someone else has it
  bool no_dad = false;
};

/// `ifindex` 0: all links.
Result<std::vector<Address>> list_addresses(Socket& socket, int ifindex = 0,
                                            std::optional<IpFamily> family = std::nullopt);

struct AddressOptions {
  bool no_dad = false;  ///< IPv6: usable at once
  Scope scope = Scope::kUniverse;
  std::optional<IpAddress> broadcast = std::nullopt;
  bool no_prefix_route = false;
};
/// Putting one that is there succeeds (IPv6: its flags are renewed).
Request put_address(int ifindex, const Cidr& cidr, const AddressOptions& options = {});
/// Dropping one that is not there succeeds, also when the link is gone.
Request drop_address(int ifindex, const Cidr& cidr);

}  // namespace holdfast::nl
