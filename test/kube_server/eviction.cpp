#include "test/kube_server/eviction.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "test/kube_server/renditions.h"

namespace holdfast::test {
namespace {

using nlohmann::json;

constexpr int kTooManyRequests = 429;

bool covers(const json& budget, const json& pod) {
  std::string selector;
  for (const auto& [label, value] : budget["spec"]["selector"]["matchLabels"].items())
    selector += (selector.empty() ? "" : ",") + label + "=" + value.get<std::string>();
  return is_selected(pod, selector, "");
}

bool is_ready(const json& pod) {
  if (pod["metadata"].contains("deletionTimestamp")) return false;
  const json conditions = pod.value(json::json_pointer("/status/conditions"), json::array());
  return std::ranges::any_of(
      conditions, [](const json& each) { return each["type"] == "Ready" && each["status"] == "True"; });
}

json refusal(const json& budget, int wanted, std::ptrdiff_t healthy) {
  json out = failure(kTooManyRequests, "TooManyRequests",
                     "Cannot evict pod as it would violate the pod's disruption budget.");
  out["details"]["causes"] = {
      {{"reason", "DisruptionBudget"},
       {"message", "The disruption budget " + budget["metadata"]["name"].get<std::string>() + " needs " +
                       std::to_string(wanted) + " healthy pods and has " + std::to_string(healthy) +
                       " currently"}}};
  return out;
}

}  // namespace

std::optional<Reply> refused_by_budgets(const ObjectStore& store, const ObjectKey& key) {
  const StoredObject pod = store.find(key);
  for (const StoredObject& budget : store.list("policy/poddisruptionbudgets", key.name_space)) {
    if (!covers(*budget, *pod)) continue;
    const int wanted = (*budget)["spec"]["minAvailable"].get<int>();
    const std::vector<StoredObject> pods = store.list("/pods", key.name_space);
    const std::ptrdiff_t healthy = std::ranges::count_if(
        pods, [&](const StoredObject& each) { return covers(*budget, *each) && is_ready(*each); });
    const std::ptrdiff_t left = is_ready(*pod) ? healthy - 1 : healthy;
    if (left < wanted) return reply_with(kTooManyRequests, refusal(*budget, wanted, healthy));
  }
  return std::nullopt;
}

}  // namespace holdfast::test
