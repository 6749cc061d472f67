#pragma once

#include <span>
#include <vector>

#include "cni-flannel/daemon/forwarding.h"
#include "common/netlink/socket.h"

namespace holdfast::flannel {

/// The kernel's own tables, of the namespace that the socket belongs to.
class KernelForwarding final : public Forwarding {
 public:
  /// `socket` outlives it.
  explicit KernelForwarding(nl::Socket& socket) : socket_(socket) {}

  Result<std::vector<nl::Route>> routes(IpFamily family) override;
  Result<std::vector<nl::Neighbour>> neighbours(int ifindex, IpFamily family) override;
  Result<std::vector<nl::FdbEntry>> fdb(int ifindex) override;
  std::vector<Status> apply(std::span<const ForwardingChange> changes) override;

 private:
  nl::Socket& socket_;
};

}  // namespace holdfast::flannel
