#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>

#include "common/base/cidr.h"

namespace holdfast {

/// An address and port as system calls take them.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  [[nodiscard]] const sockaddr* get() const {
    const void* raw = &storage;
    return static_cast<const sockaddr*>(raw);
  }
};

/// `port` in host order.
[[nodiscard]] SocketAddress to_socket_address(const IpAddress& address, std::uint16_t port);
/// nullopt for another family than IPv4 and IPv6.
[[nodiscard]] std::optional<IpAddress> address_of(const sockaddr_storage& storage);

}  // namespace holdfast
