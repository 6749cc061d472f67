#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "test/kube_server/answers.h"
#include "test/kube_server/kinds.h"

namespace holdfast::test {

/// What a change of a built-in kind's object is answered (422), in nearly the words of a real server, when it
/// changes what cannot be changed: selectors of DaemonSets and Deployments, which must also keep to the
/// labels of their pods; what a StorageClass says of volumes; attachRequired of a CSIDriver; whom a binding
/// binds to. `before`: null when the object is new. Nothing: it is taken. Source: validation of each kind's
/// update in Kubernetes' pkg/apis.
[[nodiscard]] std::optional<Reply> refused_as_immutable(const ServedKind& kind, const nlohmann::json& before,
                                                        const nlohmann::json& after);

}  // namespace holdfast::test
