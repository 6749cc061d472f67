#pragma once

#include <nlohmann/json_fwd.hpp>

namespace holdfast::test {

/// Strategic merge patch, as the built-in kinds take it: a JSON merge patch, but that an element of a list of
/// conditions replaces the one of its type and leaves the others.
/// Source: Kubernetes' "patchMergeKey" of the types used here.
void strategic_merge(nlohmann::json& object, const nlohmann::json& patch);

}  // namespace holdfast::test
