#pragma once

#include <cstddef>
#include <memory>
#include <variant>
#include <vector>

#include "common/base/fd.h"
#include "common/base/result.h"
#include "common/netlink/address.h"
#include "common/netlink/link.h"
#include "common/netlink/neighbour.h"
#include "common/netlink/route.h"
#include "common/netlink/rule.h"

namespace holdfast::nl {

struct LinkEvent {
  Link link;
  bool gone = false;
};
struct AddressEvent {
  Address address;
  bool gone = false;
};
struct RouteEvent {
  Route route;
  bool gone = false;
};
struct RuleEvent {
  Rule rule;
  bool gone = false;
};
struct NeighbourEvent {
  Neighbour neighbour;
  bool gone = false;
};
struct FdbEvent {
  FdbEntry entry;
  bool gone = false;
};
/// Events were lost (the kernel's queue for us ran over): dump what matters again.
struct Resync {};
using Event = std::variant<LinkEvent, AddressEvent, RouteEvent, RuleEvent, NeighbourEvent, FdbEvent, Resync>;

/// Which tables to hear about, both families each.
struct MonitorOptions {
  bool links = false;
  bool addresses = false;
  bool routes = false;
  bool rules = false;
  bool neighbours = false;  ///< NeighbourEvent and FdbEvent
};

/// Hears of changes in the kernel's tables. Its fd becomes readable when there are events; works with
/// epoll(7). Belongs to the namespace it was opened in. Not thread-safe.
class Monitor {
 public:
  static Result<Monitor> open(const MonitorOptions& options);
  static Result<Monitor> open_in(int netns_fd, const MonitorOptions& options);

  [[nodiscard]] int fd() const { return fd_.get(); }
  /// What has come in, in order; empty when nothing has. Never blocks. After a
  /// flood there may be more: the fd stays readable.
  /// Errors: errno of recvmsg(2), except ENOBUFS, which is the event Resync.
  Result<std::vector<Event>> read();

 private:
  explicit Monitor(Fd fd);

  Fd fd_;
  std::unique_ptr<std::byte[]> buffer_;
};

}  // namespace holdfast::nl
