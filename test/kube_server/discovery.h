#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "test/kube_server/kinds.h"

namespace holdfast::test {

/// What tells a client which kinds there are: /api, /apis, a group, a version of a group; and of OpenAPI
/// (/openapi/v3) what kubectl looks up there, which is whether a kind's PATCH takes fieldValidation. `kinds`
/// are all that are served. Nothing: there is no such document.
/// Source: https://kubernetes.io/docs/concepts/overview/kubernetes-api/
[[nodiscard]] std::optional<nlohmann::json> discovery_page(const std::string& path,
                                                           const std::vector<ServedKind>& kinds);

}  // namespace holdfast::test
