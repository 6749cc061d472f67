#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace holdfast::flannel {

/// Why `name` can be no Node's; empty when it can. What is no name is printed nowhere.
/// Source: Kubernetes, "Object Names and IDs": an RFC 1123 subdomain of at most 253 bytes.
[[nodiscard]] std::string node_name_fault(std::string_view name);

/// As kubelet names a node that is not told its name: the host's, in lower case.
/// Errors: kFailedPrecondition for a host without one.
[[nodiscard]] Result<std::string> host_node_name();

}  // namespace holdfast::flannel
