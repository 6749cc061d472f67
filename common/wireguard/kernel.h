#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/wireguard/tunnel.h"

namespace holdfast::wireguard {

/// WireGuard by the kernel's module, spoken to by generic netlink. Needs CAP_NET_ADMIN in the namespace; the
/// module is loaded on first use where the host lets it, else it must be loaded there.
///
/// An interface is the kernel's: it outlives us, also in a container, for as long as its network namespace
/// does. Holds nothing: each call opens a socket in the network namespace of the calling thread. A change is
/// several messages to the kernel when it is about several peers, and what was done before one that is
/// refused stays. Source: linux/wireguard.h, https://www.wireguard.com/xplatform/.
class KernelWireGuard final : public WireGuard {
 public:
  /// Whether this kernel has it, the module being loaded for that. Errors: those of netlink.
  [[nodiscard]] static Result<bool> is_there();

  [[nodiscard]] std::string_view link_kind() const override { return "wireguard"; }
  Status ensure(const std::string& name) override;
  [[nodiscard]] Result<TunnelState> read(const std::string& name) override;
  Status change(const std::string& name, const Change& change) override;
  Status remove(const std::string& name) override;
};

}  // namespace holdfast::wireguard
