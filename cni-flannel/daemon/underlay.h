#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/result.h"
#include "common/netlink/address.h"
#include "common/netlink/link.h"
#include "common/netlink/route.h"

namespace holdfast::flannel {

/// What decides by which interface the tunnels run: the first of `interfaces` that is there, else of
/// `patterns`, else the way to `can_reach`. When none of these is told, the interface that has `public_ip`,
/// or else the default route's.
struct UnderlayChoice {
  std::vector<std::string> interfaces;      ///< --iface, in order: names or addresses
  std::string interfaces_flag = "--iface";  ///< which flag told them, for errors
  std::vector<std::string> patterns;   ///< --iface-regex, in order (ECMAScript): of addresses, then names
  std::optional<IpAddress> can_reach;  ///< --iface-can-reach
  std::optional<IpAddress> public_ip;  ///< --public-ip: told to the peers in place of the interface's address
  std::optional<IpAddress> public_ipv6;
  /// Of several addresses on the interface these count first, and those that `interfaces` names.
  std::vector<IpAddress> addresses = {};
  /// Links that stand on the tunnels themselves: none of them is taken, however it was asked for.
  std::vector<std::string> own_links = {};
  bool ipv4 = true;  ///< families that are in use
  bool ipv6 = false;

  /// Whether a flag tells the interface, or the address that peers are told.
  [[nodiscard]] bool is_told() const;
};

/// The external interface and, of the families in use, the address that tunnels send from and the one that
/// the peers are told.
struct Underlay {
  nl::Link link;
  std::optional<IpAddress> local;
  std::optional<IpAddress> local6;
  std::optional<IpAddress> public_ip;
  std::optional<IpAddress> public_ipv6;
};

/// The kernel's tables as far as the choice needs them.
struct UnderlayTables {
  std::vector<nl::Link> links;
  std::vector<nl::Address> addresses;
  std::vector<nl::Route> routes;  ///< main table
};

/// Pure. Of several addresses on the interface those count that are named, else `before` (what was used last)
/// is kept while it is there, else the first of global scope counts, in the kernel's order. Errors:
/// kNotFound, naming what was asked for and the interfaces that could be; kFailedPrecondition for an
/// interface without an address of a family.
[[nodiscard]] Result<Underlay> choose_underlay(const UnderlayChoice& choice, const UnderlayTables& tables,
                                               const Underlay* before = nullptr);

/// Errors: the kernel's.
Result<UnderlayTables> read_underlay_tables(nl::Socket& socket);

}  // namespace holdfast::flannel
