#pragma once

#include "cni-flannel/plugin/bridge_call.h"
#include "cni-flannel/plugin/cni_error.h"
#include "cni-flannel/plugin/cni_result.h"
#include "common/base/exec.h"
#include "common/netlink/socket.h"

namespace holdfast::flannel {

/// Compares an attachment with the kernel, `host` being a socket of the host's namespace: the bridge and its
/// gateway addresses, both ends of the pair and its VLANs, the pod's addresses and routes, the pod's own
/// rules. `previous` is what ADD answered. Rules that iptables keeps are asked for by `executor`. Errors:
/// code 105 naming the first thing that is not as ADD left it; kInvalidNetns.
[[nodiscard]] cni::CniStatus check_kernel(nl::Socket& host, Executor& executor, const BridgeCall& call,
                                          const cni::AddResult& previous);

}  // namespace holdfast::flannel
