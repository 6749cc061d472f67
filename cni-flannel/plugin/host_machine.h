#pragma once

#include <string>

#include "cni-flannel/ipam/sticky_ipam.h"
#include "common/netlink/socket.h"

namespace holdfast::flannel {

/// The running machine as the address manager sees it. `host` is a socket of the host's network namespace and
/// outlives the object.
class HostMachine final : public Machine {
 public:
  explicit HostMachine(nl::Socket& host) : host_(host) {}
  /// /proc/sys/kernel/random/boot_id, read once.
  Result<std::string> boot_id() override;
  Result<bool> link_exists(const std::string& name) override;

 private:
  nl::Socket& host_;
  std::string boot_id_;
};

}  // namespace holdfast::flannel
