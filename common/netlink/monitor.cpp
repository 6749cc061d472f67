#include "common/netlink/monitor.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "common/netlink/netns.h"
#include "common/netlink/parse.h"
#include "common/netlink/receive.h"

namespace holdfast::nl {
namespace {

constexpr int kReceiveQueueBytes = 1 << 20;
// linux/rtnetlink.h names no bit for it, as it does for the other groups of its kind.
constexpr std::uint32_t kIpv6RuleBit = 1U << (RTNLGRP_IPV6_RULE - 1);
constexpr std::size_t kEventsAtOnce = 4096;  // so that a flood of events cannot hold its reader

std::uint32_t group_bits(const MonitorOptions& options) {
  std::uint32_t bits = 0;
  if (options.links) bits |= RTMGRP_LINK;
  if (options.addresses) bits |= RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
  if (options.routes) bits |= RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
  if (options.rules) bits |= RTMGRP_IPV4_RULE | kIpv6RuleBit;
  if (options.neighbours) bits |= RTMGRP_NEIGH;
  return bits;
}

template <class E, class T>
void append(std::vector<Event>& events, std::optional<T> object, bool gone) {
  if (object) events.push_back(E{*std::move(object), gone});
}

void append_event(std::vector<Event>& events, const nlmsghdr* message) {
  switch (message->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      // AF_BRIDGE messages tell of ports and are skipped: an RTM_DELLINK of those is no link's end
      return append<LinkEvent>(events, parse_link(message), message->nlmsg_type == RTM_DELLINK);
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return append<AddressEvent>(events, parse_address(message), message->nlmsg_type == RTM_DELADDR);
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      return append<RouteEvent>(events, parse_route(message), message->nlmsg_type == RTM_DELROUTE);
    case RTM_NEWRULE:
    case RTM_DELRULE:
      return append<RuleEvent>(events, parse_rule(message), message->nlmsg_type == RTM_DELRULE);
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
      append<NeighbourEvent>(events, parse_neighbour(message), message->nlmsg_type == RTM_DELNEIGH);
      return append<FdbEvent>(events, parse_fdb(message), message->nlmsg_type == RTM_DELNEIGH);
    default:
      return;
  }
}

}  // namespace

Monitor::Monitor(Fd fd) : fd_(std::move(fd)), buffer_(new std::byte[kReceiveBytes]) {}

Result<Monitor> Monitor::open(const MonitorOptions& options) {
  Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!fd.valid()) return fail_errno(errno, "open netlink monitor");
  // a bigger queue means fewer resyncs; without the right to it the default serves
  static_cast<void>(
      ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveQueueBytes, sizeof kReceiveQueueBytes));
  sockaddr_nl self{};
  self.nl_family = AF_NETLINK;
  self.nl_groups = group_bits(options);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&self), sizeof self) != 0) {
    return fail_errno(errno, "subscribe to netlink events");
  }
  return Monitor(std::move(fd));
}

Result<Monitor> Monitor::open_in(int netns_fd, const MonitorOptions& options) {
  return in_netns(netns_fd, [&options] { return open(options); });
}

Result<std::vector<Event>> Monitor::read() {
  std::vector<Event> events;
  while (events.size() < kEventsAtOnce) {
    auto block = receive_messages(fd_.get(), buffer_.get());
    if (block) {
      for_each_message(*block, [&](const nlmsghdr* message) { append_event(events, message); });
    } else if (block.error().sys_errno == EAGAIN) {
      break;
    } else if (block.error().sys_errno == ENOBUFS) {
      events.emplace_back(Resync{});
    } else {
      return tl::unexpected(std::move(block).error());
    }
  }
  return events;
}

}  // namespace holdfast::nl
