#include "test/bench/cni/bare_delete.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "common/base/fd.h"

namespace holdfast::bench {
namespace {

struct DeleteRequest {
  nlmsghdr header{};
  ifinfomsg link{};
};

struct Answer {
  nlmsghdr header{};
  nlmsgerr error{};
};

}  // namespace

Result<std::chrono::nanoseconds> bare_delete(const std::string& link) {
  const Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!socket.valid()) return fail_errno(errno, "open a netlink socket");
  DeleteRequest request;
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = RTM_DELLINK;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  request.link.ifi_index = static_cast<int>(::if_nametoindex(link.c_str()));
  if (request.link.ifi_index == 0) return fail_errno(errno, "find link " + link);

  Answer answer;
  const auto start = std::chrono::steady_clock::now();
  if (::send(socket.get(), &request, sizeof request, 0) < 0) return fail_errno(errno, "send RTM_DELLINK");
  if (::recv(socket.get(), &answer, sizeof answer, 0) < 0) return fail_errno(errno, "receive the answer");
  const auto took = std::chrono::steady_clock::now() - start;

  if (answer.error.error != 0) return fail_errno(-answer.error.error, "delete link " + link);
  return took;
}

}  // namespace holdfast::bench
