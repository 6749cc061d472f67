#include "csi-lvm/cluster/cluster_volumes.h"

#include <utility>

namespace holdfast::lvm {

ClusterVolumes::ClusterVolumes(const VolumeTask::Tools& tools) : tools_(tools) {
  tools_.state.on_change([this] { step_all(); });
}

void ClusterVolumes::create(VolumeWish wish, std::chrono::nanoseconds patience, Done done) {
  add(std::make_unique<CreateTask>(tools_, std::move(wish), patience, std::move(done)));
}

void ClusterVolumes::remove(const std::string& volume, VolumeKind kind, std::chrono::nanoseconds patience,
                            Done done) {
  add(std::make_unique<RemoveTask>(tools_, volume, kind, patience, std::move(done)));
}

void ClusterVolumes::grow(const std::string& volume, std::uint64_t required_bytes, std::uint64_t limit_bytes,
                          std::chrono::nanoseconds patience, Done done) {
  add(std::make_unique<GrowTask>(tools_, volume, required_bytes, limit_bytes, patience, std::move(done)));
}

void ClusterVolumes::add(std::unique_ptr<VolumeTask> task) {
  if (ending_) return give_up(*task);
  tasks_.push_back(std::move(task));
  if (!soon_.pending()) soon_ = tools_.loop.after({}, [this] { step_all(); });
}

void ClusterVolumes::give_up(VolumeTask& task) {
  task.give_up({.code = Code::kUnavailable, .sys_errno = 0, .message = "the controller ends; ask again"});
}

void ClusterVolumes::end() {
  ending_ = true;
  for (const std::unique_ptr<VolumeTask>& task : tasks_) give_up(*task);
}

// A task ends in its own calls: what has ended is taken away here, where none is on the stack.
void ClusterVolumes::step_all() {
  for (const std::unique_ptr<VolumeTask>& task : tasks_) task->step();
  std::erase_if(tasks_, [](const std::unique_ptr<VolumeTask>& task) { return task->ended(); });
}

}  // namespace holdfast::lvm
