#pragma once

#include <vector>

#include "cni-flannel/inspect/pod_report.h"
#include "cni-flannel/plugin/subnet_env.h"
#include "common/base/files.h"
#include "common/base/result.h"
#include "common/inspect/finding.h"

namespace holdfast::flannel {

/// Whether another pod of this node would get an address, by what the plugin keeps of them; and the pods
/// that are here and cannot be reached: with an address of an earlier pod CIDR, without link, or with one
/// that is no port of a bridge. Takes the networks' locks while it reads.
[[nodiscard]] std::vector<Finding> pod_findings(Files& files, const Result<PodReport>& pods,
                                                const IpamConfig& places, const SubnetEnv& lease);

}  // namespace holdfast::flannel
