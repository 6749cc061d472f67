#pragma once

#include <string>

#include "cni-flannel/plugin/subnet_env.h"
#include "common/base/result.h"
#include "common/inspect/inspector.h"
#include "common/netlink/socket.h"

namespace holdfast::flannel {

/// Of an address of the pod network that no pod here has, on a node whose overlay another flanneld keeps:
/// whose it is by the lease, and the way to it by the kernel's tables, as far as the machine that packets are
/// sent to. Errors: the kernel's.
[[nodiscard]] Result<Explanation> explain_by_kernel(nl::Socket& socket, const SubnetEnv& lease,
                                                    const std::string& subject);

}  // namespace holdfast::flannel
