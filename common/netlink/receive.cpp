#include "common/netlink/receive.h"

#include <linux/netlink.h>
#include <sys/socket.h>

#include <cerrno>

namespace holdfast::nl {

Result<std::span<std::byte>> receive_messages(int fd, std::byte* buffer) {
  for (;;) {
    sockaddr_nl sender{};
    iovec space{.iov_base = buffer, .iov_len = kReceiveBytes};
    msghdr message{};
    message.msg_name = &sender;
    message.msg_namelen = sizeof sender;
    message.msg_iov = &space;
    message.msg_iovlen = 1;
    const ssize_t got = ::recvmsg(fd, &message, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) {
      return tl::unexpected(
          Error{Code::kDeadlineExceeded, EAGAIN, "the kernel did not answer on netlink in time"});
    }
    if (got < 0) return fail_errno(errno, "receive from netlink");
    if (sender.nl_pid != 0) continue;
    if ((message.msg_flags & MSG_TRUNC) != 0) {
      return fail(Code::kDataLoss,
                  "a netlink message is longer than " + std::to_string(kReceiveBytes) + " bytes");
    }
    return std::span(buffer, static_cast<std::size_t>(got));
  }
}

}  // namespace holdfast::nl
