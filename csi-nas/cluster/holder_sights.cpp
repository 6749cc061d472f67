#include "csi-nas/cluster/holder_sights.h"

namespace holdfast::nas {

void HolderSights::saw(const TaskObject& task, Time now) {
  const auto [found, is_new] = seen_.try_emplace(task.id.name);
  Sight& sight = found->second;
  const TaskStatus& status = task.status;
  const bool same = !is_new && sight.uid == task.id.uid && sight.holder == status.holder &&
                    sight.epoch == status.epoch && sight.renewals == status.renewals;
  if (same) return;
  sight = {.uid = task.id.uid,
           .holder = status.holder,
           .epoch = status.epoch,
           .renewals = status.renewals,
           .at = now};
}

void HolderSights::heard_nothing(Time now) {
  for (auto& [task, sight] : seen_) sight.at = now;
}

HolderSights::Time HolderSights::last_sign(const std::string& task, Time now) const {
  const auto found = seen_.find(task);
  return found == seen_.end() ? now : found->second.at;
}

}  // namespace holdfast::nas
