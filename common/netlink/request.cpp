#include "common/netlink/request.h"

#include <netlink/msg.h>

#include <utility>

namespace holdfast::nl {

void MessageRelease::operator()(nl_msg* message) const noexcept { nlmsg_free(message); }

Request::Request(std::string what, MessagePtr message)
    : what_(std::move(what)), message_(std::move(message)) {
  if (!message_) refused_ = Error{Code::kInvalidArgument, 0, what_ + ": too long for a netlink message"};
}

Request::Request(std::string what, Error refused)
    : what_(std::move(what)), refused_(std::move(refused).within(what_)) {}

Request Request::tolerating(int sys_errno) && {
  tolerated_.push_back(sys_errno);
  return std::move(*this);
}

}  // namespace holdfast::nl
