#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/cidr.h"
#include "common/wireguard/key.h"
#include "common/wireguard/tunnel.h"
#include "egw-gateway/access/own_ranges.h"
#include "egw-gateway/model/edge_gateway.h"
#include "egw-gateway/tunnel/tunnel_keeper.h"

/// What an access point makes of the pools that it is told of.
namespace holdfast::gateway {

/// What the names of an access point's tunnels begin with: egw-POOL-GATEWAY.
inline constexpr std::string_view kAccessLinkPrefix = "egw-";

/// A gateway among those of all pools.
struct WayName {
  std::string pool{};
  std::string gateway{};

  [[nodiscard]] std::string to_string() const { return pool + "/" + gateway; }
  auto operator<=>(const WayName&) const = default;
  bool operator==(const WayName&) const = default;
};

/// The way to one gateway.
struct GatewayWay {
  WayName name{};
  int priority = 0;
  std::string link{};
  std::uint16_t port = 0;                    ///< at which this end listens
  std::vector<wireguard::PublicKey> keys{};  ///< one, or two while it changes over to another
  std::vector<IpAddress> addresses{};        ///< its own, inside
  IpAddress local{};                         ///< liveness is between this
  IpAddress peer{};                          ///< and this
  std::chrono::milliseconds interval{};      ///< of liveness

  bool operator==(const GatewayWay&) const = default;
};

/// A pool that is served.
struct ServedPool {
  std::string name{};
  bool preferred = true;  ///< no other access point of the pool has a higher priority
  bool sole = true;       ///< it has no other access point
  std::vector<Cidr> pods{};
  std::vector<Cidr> cloud{};         ///< what its pods and nodes may reach
  std::vector<IpAddress> addresses;  ///< this access point's inside its tunnels
  std::uint32_t mtu = 0;             ///< of its tunnels, bytes; 0: it has none of its own
  std::vector<GatewayWay> ways{};

  bool operator==(const ServedPool&) const = default;
};

struct AccessPlan {
  std::vector<ServedPool> pools{};
  std::map<std::string, std::string> troubles{};  ///< by pool: why it, or a gateway of it, is not served

  [[nodiscard]] std::vector<const GatewayWay*> ways() const;
  bool operator==(const AccessPlan&) const = default;
};

/// Of `objects` those pools that name the access point `point`. A pool is refused whole when it has something
/// that is another's already: addresses of pods or of tunnels, the number of a tunnel; and when its pods lie
/// in a cloud range of another. Those that ask for no more than they had in `before`, the last plan, come
/// first, then the other ones of `served`, then the others by name: what works goes on working, whatever
/// another pool's object says from now on. So is one whose pods lie where they cannot be: in its own cloud
/// ranges, at an access point, or in `own`, this machine's ranges; but one of `served` is told of it alone. A
/// gateway that has no tunnel number, no key or no address is left out. Pure.
[[nodiscard]] AccessPlan plan_access(const std::map<std::string, EdgeGateway>& objects,
                                     const std::string& point, const std::set<std::string>& served,
                                     const std::vector<OwnRange>& own = {},
                                     const std::vector<ServedPool>& before = {});

/// What of a gateway's keys is to be sent to: the one with the latest handshake, else `before`, else the
/// first. So traffic follows the gateway's own change to another key. Pure.
[[nodiscard]] wireguard::PublicKey key_in_use(const GatewayWay& way,
                                              const std::vector<wireguard::PeerState>& peers,
                                              const std::optional<wireguard::PublicKey>& before);

/// The tunnel to a gateway at this end. Only addresses of the pool's pods and of the gateway itself are taken
/// from it and sent to it, whoever has its key. Pure.
[[nodiscard]] Tunnel tunnel_of(const ServedPool& pool, const GatewayWay& way,
                               const wireguard::SecretKey& private_key, const wireguard::PublicKey& in_use,
                               std::uint32_t mtu);

}  // namespace holdfast::gateway
