#pragma once

#include <netlink/msg.h>

#include <cstddef>
#include <span>

#include "common/base/result.h"

// For the .cpp files of this folder only.
namespace holdfast::nl {

/// What the kernel fills at most in one go when it is offered as much. Source: net/netlink/af_netlink.c.
inline constexpr std::size_t kReceiveBytes = 32 * 1024;

/// One datagram of messages from the kernel, in `buffer` of kReceiveBytes; what other processes send us is
/// skipped. Waits as long as the socket's SO_RCVTIMEO says. Errors: kDeadlineExceeded, errno EAGAIN, when
/// nothing came; kDataLoss for a message longer than the buffer; errno ENOBUFS when the kernel had to throw
/// messages away.
Result<std::span<std::byte>> receive_messages(int fd, std::byte* buffer);

template <class F>
void for_each_message(std::span<std::byte> block, F each) {
  auto left = static_cast<int>(block.size());
  for (auto* at = reinterpret_cast<nlmsghdr*>(block.data()); nlmsg_ok(at, left) != 0;
       at = nlmsg_next(at, &left)) {
    each(static_cast<const nlmsghdr*>(at));
  }
}

}  // namespace holdfast::nl
