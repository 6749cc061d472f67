#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/netlink/request.h"
#include "common/wireguard/tunnel.h"

struct nlattr;
struct nlmsghdr;

// What KernelWireGuard and the kernel say to one another. `family`: the number of generic netlink's
// "wireguard". Source: linux/wireguard.h.
namespace holdfast::wireguard {

/// Asks for an interface's state (WG_CMD_GET_DEVICE); to be sent as a dump.
[[nodiscard]] nl::MessagePtr get_message(std::uint16_t family, const std::string& name);

/// Make a change (WG_CMD_SET_DEVICE), in this order: what the interface has itself, then each peer; a peer
/// with many allowed addresses has several. A key or address that does not fit makes a null message. They
/// hold secrets.
[[nodiscard]] std::vector<nl::MessagePtr> set_messages(std::uint16_t family, const std::string& name,
                                                       const Change& change);

/// An interface's state, as the messages that answer get_message() come: a long list of peers, and one peer's
/// long list of addresses, go on in the next. What a newer kernel tells beyond is skipped.
class StateReader {
 public:
  void take(const nlmsghdr* message);
  /// Forgets all.
  void restart();
  /// Errors: kDataLoss naming what could not be read; never a value.
  [[nodiscard]] Result<TunnelState> finish() &&;

 private:
  void take_peer(const nlattr* nest);
  void take_allowed(PeerState& peer, const nlattr* list);

  TunnelState state_;
  const char* unreadable_ = nullptr;  // the first thing that was
};

}  // namespace holdfast::wireguard
