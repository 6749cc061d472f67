#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/exec.h"
#include "common/base/fd.h"
#include "common/wireguard/tunnel.h"

namespace holdfast::wireguard {

/// WireGuard by wireguard-go, one process an interface, spoken to by its UNIX socket. For machines whose
/// kernel has none. Needs CAP_NET_ADMIN and /dev/net/tun.
///
/// The process detaches from us and lives on when we end: a tunnel goes on carrying traffic while the program
/// that keeps it is exchanged, and ensure() takes the interface that it finds. In a container it ends with
/// the container. One that died took its interface along, and ensure() makes another.
///
/// Calls are for the network namespace of the calling thread; the socket's folder is of the mount namespace,
/// so names are one's own only where one of both is. Source: https://www.wireguard.com/xplatform/.
class UserSpaceWireGuard final : public WireGuard {
 public:
  /// Both outlive it. `program`: the path of wireguard-go, or "" for the system's.
  UserSpaceWireGuard(Executor& executor, Clock& clock, std::string program = {},
                     std::filesystem::path sockets = "/var/run/wireguard");

  [[nodiscard]] std::string_view link_kind() const override { return "tun"; }
  Status ensure(const std::string& name) override;
  [[nodiscard]] Result<TunnelState> read(const std::string& name) override;
  Status change(const std::string& name, const Change& change) override;
  Status remove(const std::string& name) override;

 private:
  [[nodiscard]] std::filesystem::path socket_of(const std::string& name) const;
  [[nodiscard]] Result<Fd> connect(const std::string& name) const;
  [[nodiscard]] Result<std::string> ask(const std::string& name, std::string_view request) const;
  Status start(const std::string& name);

  Executor& executor_;
  Clock& clock_;
  std::string program_;
  std::filesystem::path sockets_;
};

}  // namespace holdfast::wireguard
