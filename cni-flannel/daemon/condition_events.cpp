#include "cni-flannel/daemon/condition_events.h"

#include <utility>

#include "cni-flannel/daemon/conditions.h"

namespace holdfast::flannel {
namespace {

/// All that is well has no message.
bool is_for_operators(const Condition& condition) {
  return !condition.message.empty() && condition.reason != kStartingReason &&
         condition.reason != kUnreachableReason && condition.reason != kToldByControllerReason;
}

/// A type that names what is wrong (VtepMacContested: True) says more than its reason.
const std::string& reason_of(const Condition& condition) {
  return condition.status == "True" ? condition.type : condition.reason;
}

}  // namespace

bool ConditionEvents::is_news(const Condition& condition) const {
  const auto recorded = recorded_.find(condition.type);
  return is_for_operators(condition) &&
         (recorded == recorded_.end() || recorded->second != condition.message);
}

void ConditionEvents::told(std::vector<Condition> conditions) {
  latest_ = std::move(conditions);
  for (const Condition& condition : latest_) {
    if (!is_for_operators(condition)) recorded_.erase(condition.type);
  }
  if (!settled_.pending()) watch();
}

void ConditionEvents::watch() {
  suspects_.clear();
  for (const Condition& condition : latest_) {
    if (is_news(condition)) suspects_.insert(condition.type);
  }
  if (!suspects_.empty()) settled_ = loop_.after(settles_, [this] { settled(); });
}

void ConditionEvents::settled() {
  for (const Condition& condition : latest_) {
    if (is_news(condition) && suspects_.contains(condition.type)) record(condition);
  }
  watch();
}

void ConditionEvents::record(const Condition& condition) {
  recorded_[condition.type] = condition.message;
  recorder_.record({.kind = "Node",
                    .name = node_,
                    .uid = node_,  // as kubelet does: kubectl looks for events of a Node by its name
                    .warning = true,
                    .reason = reason_of(condition),
                    .message = condition.type + ": " + condition.message});
}

}  // namespace holdfast::flannel
