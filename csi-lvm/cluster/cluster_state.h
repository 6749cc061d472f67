#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/kube/http.h"
#include "common/kube/object_cache.h"
#include "common/kube/watcher.h"
#include "csi-lvm/cluster/node_object.h"
#include "csi-lvm/cluster/prediction.h"
#include "csi-lvm/cluster/protocol.h"

namespace holdfast::lvm {

/// What a controller knows of the cluster, by watches: LogicalVolumes, NodeStorages and Nodes. Belongs to the
/// event loop.
///
/// Times that nodes write are not believed: a NodeStorage is as old as its last change was seen here, and the
/// time in which the server told us nothing, not even bookmarks, does not count: a controller that has just
/// started or was cut off trusts every node for as long as it is fresh.
class ClusterState {
 public:
  struct Options {
    std::chrono::milliseconds node_gone_grace{300'000};
    std::chrono::milliseconds stale_after = kStaleAfter;
    std::chrono::milliseconds tick{1'000};  ///< time is looked at so often
    std::uint64_t seed = 0;                 ///< another for every process
  };

  /// `loop`, `http` and `log` outlive it. `http` is for watches alone.
  ClusterState(EventLoop& loop, kube::Http& http, Logger& log, Options options);
  ClusterState(const ClusterState&) = delete;
  ClusterState& operator=(const ClusterState&) = delete;
  ~ClusterState() = default;

  void start();
  /// Called in a turn of the loop after something has changed, and every second: time changes things too.
  void on_change(std::function<void()> listener) { listeners_.push_back(std::move(listener)); }
  /// All kinds have been listed: before that nothing is decided.
  [[nodiscard]] bool is_known() const;

  /// A NodeStorage that is not known here does not exist.
  [[nodiscard]] bool knows_all_storages() const { return storages_.is_whole(); }

  [[nodiscard]] kube::ObjectCache<LogicalVolumeObject>& volumes() { return volumes_; }
  [[nodiscard]] const kube::ObjectCache<LogicalVolumeObject>& volumes() const { return volumes_; }
  [[nodiscard]] const std::map<std::string, NodeStorageObject>& storages() const { return storages_.all(); }
  /// All objects of a volume or snapshot: more than one when a node was dead.
  [[nodiscard]] std::vector<const LogicalVolumeObject*> objects_of(const std::string& volume) const;
  /// The one that is not a tombstone. Errors: kNotFound; kFailedPrecondition when there are two.
  [[nodiscard]] Result<const LogicalVolumeObject*> live_object(const std::string& volume) const;

  [[nodiscard]] NodeLife life(const std::string& node) const;
  /// Pointers into this, which hold until the loop turns again.
  [[nodiscard]] NodeFigures figures(const std::string& node) const;
  /// Nodes at `place` (key and value of a topology).
  [[nodiscard]] std::vector<std::string> nodes_at(const std::string& key, const std::string& value) const;

 private:
  /// A state of a NodeStorage, and when it was seen first, on the clock of `listened_`.
  struct Sight {
    std::string version;
    std::chrono::nanoseconds at{};
  };

  void storage_changed(const std::string& node);
  void look_at_nodes();
  void changed();
  void tick();
  void count_listening();
  [[nodiscard]] std::chrono::nanoseconds now() const { return loop_.clock().since_boot(); }

  EventLoop& loop_;
  Logger& log_;
  Options options_;
  std::vector<std::function<void()>> listeners_;
  kube::ObjectCache<LogicalVolumeObject> volumes_;
  kube::ObjectCache<NodeStorageObject> storages_;
  kube::ObjectCache<NodeObject> nodes_;
  std::map<std::string, Sight> seen_;
  std::chrono::nanoseconds listened_{};    // since the start, without the times of silence
  std::chrono::nanoseconds last_tick_{};   // since boot
  std::chrono::nanoseconds last_heard_{};  // since boot
  std::map<std::string, std::chrono::nanoseconds> off_since_;  // nodes that are deleted or out of service
  kube::Watcher volume_watcher_;
  kube::Watcher storage_watcher_;
  kube::Watcher node_watcher_;
  EventLoop::Timer soon_;
  EventLoop::Timer tick_;
};

}  // namespace holdfast::lvm
