#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

struct nl_msg;  // libnl: a netlink message under construction

namespace holdfast::nl {

struct MessageRelease {
  void operator()(nl_msg* message) const noexcept;
};
using MessagePtr = std::unique_ptr<nl_msg, MessageRelease>;

/// One change asked of the kernel, built but not sent. The functions of link.h, address.h, route.h,
/// neighbour.h and rule.h make them; Socket::run sends one, Socket::run_all sends many in one system call.
///
/// A request that cannot be built (an interface name that is too long, say) carries its error, which comes
/// out as the request's Status; so builders need no Result and a batch is written as a plain list.
class Request {
 public:
  /// `what` names the object for errors: "put address 10.1.2.3/24 on link 7".
  Request(std::string what, MessagePtr message);
  /// A request that fails with `refused` when it is run.
  Request(std::string what, Error refused);
  Request(Request&&) noexcept = default;
  Request& operator=(Request&&) noexcept = default;
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
  ~Request() = default;

  /// Takes the kernel's answer `sys_errno` as success: "it was already gone", "it was already there".
  Request tolerating(int sys_errno) &&;

 private:
  friend class Socket;
  std::string what_;
  MessagePtr message_;  // null when the request could not be built
  Error refused_;       // why, then
  std::vector<int> tolerated_;
};

}  // namespace holdfast::nl
