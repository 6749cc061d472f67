#pragma once

#include <memory>

#include "cni-flannel/daemon/lease_source.h"
#include "cni-flannel/daemon/options.h"
#include "common/base/event_loop.h"
#include "common/base/files.h"
#include "common/base/metrics.h"
#include "common/base/result.h"

namespace holdfast::flannel {

/// A source of leases over the API server that the options, the kubeconfig or the pod's environment tell, for
/// --source auto, crd and node. With --kube-subnet-mgr auto is node. All outlives it. Errors: those of
/// kube::load_config, and of options that cannot be used.
[[nodiscard]] Result<std::unique_ptr<LeaseSource>> make_api_source(const Options& options, EventLoop& loop,
                                                                   Files& files, Metrics& metrics);

}  // namespace holdfast::flannel
