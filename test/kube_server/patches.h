#pragma once

#include <nlohmann/json_fwd.hpp>

namespace holdfast::test {

/// Strategic merge patch, as the built-in kinds take it: a JSON merge patch, but that lists of objects which
/// have a key (containers by name, conditions by type) are merged element by element, finalizers value by
/// value, and that directives are heeded: $patch (delete, replace), $retainKeys, $setElementOrder/LIST and
/// $deleteFromPrimitiveList/LIST. What a patch does not name of a list stands behind what it names.
/// Source: patchStrategy and patchMergeKey of Kubernetes' types, and
/// https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md
void strategic_merge(nlohmann::json& object, const nlohmann::json& patch);

}  // namespace holdfast::test
