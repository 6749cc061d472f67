#pragma once

#include <optional>

#include "test/kube_server/answers.h"
#include "test/kube_server/object_store.h"

namespace holdfast::test {

/// Why the pod at `key`, which is there, may not be evicted now: a PodDisruptionBudget of its namespace with
/// a whole number as minAvailable would have too few pods that are ready left. An unready pod may go while
/// the others are enough. What the disruption controller would write into the budget's status is counted
/// here. Source: https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/ and
/// .../pods/disruptions/
[[nodiscard]] std::optional<Reply> refused_by_budgets(const ObjectStore& store, const ObjectKey& key);

}  // namespace holdfast::test
