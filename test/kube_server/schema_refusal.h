#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "test/kube_server/answers.h"
#include "test/kube_server/kinds.h"

namespace holdfast::test {

/// What an object of a custom resource is answered that its definition refuses (422), in nearly the words of
/// a real server; nothing: it is taken.

/// By its members and their types; members that are not known are taken out.
[[nodiscard]] std::optional<Reply> refused_by_types(const ServedKind& kind, nlohmann::json& object);
/// By all else; members with a default get it. `before`: null when the object is new. So is refused a
/// CustomResourceDefinition whose schema has words that would go unheeded here.
[[nodiscard]] std::optional<Reply> refused_by_bounds(const ServedKind& kind, const nlohmann::json& before,
                                                     nlohmann::json& object);

}  // namespace holdfast::test
