#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/result.h"
#include "common/wireguard/key.h"

namespace holdfast::wireguard {

/// Where a peer is reached: outer address and UDP port.
struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;

  /// "192.0.2.1:51820", "[2001:db8::1]:51820"
  [[nodiscard]] std::string to_string() const;
  /// Errors: kInvalidArgument; no host names, no zones.
  [[nodiscard]] static Result<Endpoint> parse(const std::string& text);
  bool operator==(const Endpoint&) const = default;
};

/// One peer as it is to be.
struct PeerSpec {
  PublicKey key;
  std::optional<SecretKey> preshared;
  std::optional<Endpoint> endpoint;  ///< nullopt: it comes to us, and what it came from stays
  std::vector<Cidr> allowed;         ///< sources taken from it, and destinations sent to it
  std::chrono::seconds keepalive{};  ///< 0..65535; 0: none
};

/// One interface as it is to be. Addresses, MTU and routes are not WireGuard's: common/netlink has them.
struct TunnelSpec {
  SecretKey private_key;
  std::uint16_t listen_port = 0;  ///< 0: the one that it has, or any
  std::uint32_t fwmark = 0;       ///< of the outer packets; 0: none
  std::vector<PeerSpec> peers;    ///< these and no others
};

/// One peer as it is.
struct PeerState {
  PeerSpec peer;  ///< with the endpoint that it was last heard from
  std::optional<std::chrono::system_clock::time_point> last_handshake{};  ///< nullopt: never
  std::uint64_t received_bytes = 0;
  std::uint64_t sent_bytes = 0;
};

/// One interface as it is.
struct TunnelState {
  std::optional<SecretKey> private_key;
  std::uint16_t listen_port = 0;
  std::uint32_t fwmark = 0;
  std::vector<PeerState> peers;
};

/// What is to change of one peer; nullopt: nothing of that.
struct PeerChange {
  PublicKey key;
  bool remove = false;
  std::optional<KeyBytes> preshared{};  ///< all zero: none any more
  std::optional<Endpoint> endpoint{};
  std::optional<std::chrono::seconds> keepalive{};
  std::optional<std::vector<Cidr>> allowed{};  ///< in place of those that it has
};

struct Change {
  std::optional<SecretKey> private_key;
  std::optional<std::uint16_t> listen_port;
  std::optional<std::uint32_t> fwmark;
  std::vector<PeerChange> peers;

  [[nodiscard]] bool empty() const { return !private_key && !listen_port && !fwmark && peers.empty(); }
};

/// What must change to get from `actual` to `wanted`; pure. What is right is not touched: sessions and byte
/// counters of such peers live on. Peers that go come first, so that their addresses are free.
[[nodiscard]] Change plan(const TunnelSpec& wanted, const TunnelState& actual);

/// WireGuard interfaces of one network namespace. Every call ends in some seconds.
class WireGuard {
 public:
  WireGuard() = default;
  WireGuard(const WireGuard&) = delete;
  WireGuard& operator=(const WireGuard&) = delete;
  virtual ~WireGuard() = default;

  /// What its interfaces are to netlink: "wireguard", or "tun".
  [[nodiscard]] virtual std::string_view link_kind() const = 0;
  /// Makes the interface, or takes the one that is there. Errors: kInvalidArgument for a name that no link
  /// can have; kFailedPrecondition with the cure when this machine cannot.
  virtual Status ensure(const std::string& name) = 0;
  // Errors of the following: kNotFound without the interface.
  [[nodiscard]] virtual Result<TunnelState> read(const std::string& name) = 0;
  virtual Status change(const std::string& name, const Change& change) = 0;
  /// Again: succeeds.
  virtual Status remove(const std::string& name) = 0;
};

/// Makes `name` what `wanted` says. Again: changes nothing. Errors: those of the calls, and kInvalidArgument
/// for a peer that is named twice or a keepalive that is too long.
Status apply(WireGuard& wireguard, const std::string& name, const TunnelSpec& wanted);

}  // namespace holdfast::wireguard
