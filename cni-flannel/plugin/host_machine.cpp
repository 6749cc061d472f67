#include "cni-flannel/plugin/host_machine.h"

#include "common/netlink/link.h"
#include "common/netlink/sysctl.h"

namespace holdfast::flannel {

Result<std::string> HostMachine::boot_id() {
  if (boot_id_.empty()) {
    HOLDFAST_TRY(boot_id_, nl::get_sysctl("kernel/random/boot_id"));
  }
  return boot_id_;
}

Result<bool> HostMachine::link_exists(const std::string& name) {
  HOLDFAST_TRY(const auto link, nl::find_link(host_, name));
  return link && link->kind == "veth";
}

}  // namespace holdfast::flannel
