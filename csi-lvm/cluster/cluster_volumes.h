#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <string>

#include "csi-lvm/cluster/volume_task.h"

namespace holdfast::lvm {

/// The controller's calls that are under way. Belongs to the event loop; all that volume_task.h says of them
/// holds. `done` is called once, in a turn of the loop, unless this ends before.
class ClusterVolumes {
 public:
  using Done = VolumeTask::Done;

  /// What `tools` refers to outlives it.
  explicit ClusterVolumes(const VolumeTask::Tools& tools);
  ClusterVolumes(const ClusterVolumes&) = delete;
  ClusterVolumes& operator=(const ClusterVolumes&) = delete;
  ~ClusterVolumes() = default;

  void create(VolumeWish wish, std::chrono::nanoseconds patience, Done done);
  void remove(const std::string& volume, VolumeKind kind, std::chrono::nanoseconds patience, Done done);
  void grow(const std::string& volume, std::uint64_t required_bytes, std::uint64_t limit_bytes,
            std::chrono::nanoseconds patience, Done done);

  /// The program ends: all end with kUnavailable, and those that come from now on too. What they have begun
  /// is gone on with by the same call to the next one.
  void end();
  [[nodiscard]] std::size_t count() const { return tasks_.size(); }

 private:
  void add(std::unique_ptr<VolumeTask> task);
  static void give_up(VolumeTask& task);
  void step_all();

  VolumeTask::Tools tools_;
  std::list<std::unique_ptr<VolumeTask>> tasks_;
  bool ending_ = false;
  EventLoop::Timer soon_;
};

}  // namespace holdfast::lvm
