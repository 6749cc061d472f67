#include "egw-gateway/access/local_address.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "common/base/fd.h"
#include "common/base/socket_address.h"
#include "common/netlink/address.h"

namespace holdfast::gateway {

Result<IpAddress> local_address_towards(const IpAddress& peer) {
  constexpr std::uint16_t kAnyPort = 9;  // discard: connect(2) wants one
  const std::string what = "find the way to " + peer.to_string();
  const Fd socket(::socket(peer.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const SocketAddress to = to_socket_address(peer, kAnyPort);
  if (!socket.valid() || ::connect(socket.get(), to.get(), to.size) != 0) return fail_errno(errno, what);
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  void* raw = &own;
  if (::getsockname(socket.get(), static_cast<sockaddr*>(raw), &size) != 0) return fail_errno(errno, what);
  const auto address = address_of(own);
  if (!address) return fail(Code::kInternal, what + ": it has no address");
  return *address;
}

Result<bool> has_address(nl::Socket& socket, const IpAddress& address) {
  HOLDFAST_TRY(const std::vector<nl::Address> all, nl::list_addresses(socket, 0, address.family()));
  return std::ranges::any_of(all, [&](const nl::Address& each) { return each.cidr.address() == address; });
}

}  // namespace holdfast::gateway
