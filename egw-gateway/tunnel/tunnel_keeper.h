#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/result.h"
#include "common/netlink/link.h"
#include "common/netlink/socket.h"
#include "common/wireguard/tunnel.h"

namespace holdfast::gateway {

/// One tunnel between a gateway and an access point as it is to be at this end, with all that makes it a way:
///
///     link LINK mtu MTU up
///     address ADDRESS/32 (or /128) dev LINK        of each of `addresses`
///     PEER/32 (or /128) dev LINK proto 159         of each of `peers`
///
/// No network is on the link: two ends need no common one, and several tunnels have the same address of ours.
struct Tunnel {
  std::string link;
  wireguard::TunnelSpec wireguard;
  std::vector<IpAddress> addresses;  ///< our own inside, at most one a family
  std::vector<IpAddress> peers;      ///< what is reached by this tunnel alone
  std::uint32_t mtu = 0;             ///< bytes
  /// Peers that are put anew at this look, so that WireGuard knows nothing of earlier handshakes with them.
  /// Where they were last heard from stays known; their sessions do not live on.
  std::vector<wireguard::PublicKey> forgotten{};
};

/// The bytes that WireGuard adds to a packet. Source: https://www.wireguard.com/papers/wireguard.pdf section
/// 5.4.6, with the outer headers.
[[nodiscard]] constexpr std::uint32_t tunnel_overhead(IpFamily outer) {
  return outer == IpFamily::kV4 ? 60 : 80;
}

/// Whether it is of a kind that tunnels are: of the kernel's WireGuard, or of wireguard-go.
[[nodiscard]] bool is_tunnel(const nl::Link& link);

/// PREFIX and `name` where that is a link's name, else PREFIX and a digest of it.
[[nodiscard]] std::string tunnel_link(std::string_view prefix, std::string_view name);

/// A tunnel as it was found, to be shown.
struct TunnelView {
  std::string link;
  int ifindex = 0;                          ///< 0: there is no such link
  std::vector<wireguard::PeerState> peers;  ///< handshakes and bytes
};

/// Keeps tunnels as they are wanted: those and no others among the links whose names begin with `prefix`. A
/// tunnel that is right is not touched, and its session lives on; one whose engine died, or that another
/// engine made (--wireguard, or what the kernel has, was something else before), is made anew. What is not
/// wanted any more goes last, so that traffic finds the others first.
///
/// Its calls block for as long as an engine takes to begin: for a worker's thread, which is in the network
/// namespace that `socket` was opened in.
class TunnelKeeper {
 public:
  /// `wireguard` outlives it. `prefix` is not empty.
  TunnelKeeper(wireguard::WireGuard& wireguard, nl::Socket socket, std::string prefix)
      : wireguard_(wireguard), socket_(std::move(socket)), prefix_(std::move(prefix)) {}

  struct Look {
    Status done;                        ///< of the first that failed; the others were put all the same
    std::vector<std::string> news{};    ///< what was done, a line each: "wg-one: made", "wg-one: 2 changes"
    std::vector<TunnelView> tunnels{};  ///< of those wanted, in their order
  };
  /// Looks at all, and puts right what is not.
  Look look(const std::vector<Tunnel>& wanted);
  /// What stands of these links, and nothing is touched.
  Look see(const std::vector<std::string>& links);

  /// Whether an event of `link` may mean that there is something to put right.
  [[nodiscard]] bool concerned_by(const nl::Link& link) const { return link.name.starts_with(prefix_); }

 private:
  Result<bool> clear_other_engine(const std::string& link, std::vector<std::string>& news);
  Status forget(const Tunnel& wanted, std::vector<std::string>& news);
  Status put(const Tunnel& wanted, TunnelView& view, std::vector<std::string>& news);
  Status remove(const std::string& link, std::vector<std::string>& news);
  Status remove_others(const std::vector<Tunnel>& wanted, std::vector<std::string>& news);

  wireguard::WireGuard& wireguard_;
  nl::Socket socket_;
  const std::string prefix_;
};

}  // namespace holdfast::gateway
