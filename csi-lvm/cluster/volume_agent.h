#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "common/base/backoff.h"
#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/base/worker.h"
#include "common/kube/http.h"
#include "common/kube/object_cache.h"
#include "common/kube/object_client.h"
#include "common/kube/watcher.h"
#include "csi-lvm/cluster/storage_publisher.h"
#include "csi-lvm/cluster/volume_work.h"

namespace holdfast::lvm {

/// The node's half of cluster mode: does what the LogicalVolumes of its node ask for, tombstones first, and
/// publishes what LVM has as its NodeStorage within a second of a change of ours.
///
/// LVM's commands run on a thread of its own, one after the other; everything else is on the event loop.
/// Writes name the version of the object that they answer: what has changed meanwhile is looked at again.
/// Without an API server what was begun is finished, and written when it is back. `ready` volumes are removed
/// by nothing but an object with spec.reclaim or one that was never used.
class VolumeAgent {
 public:
  struct Options {
    std::string node{};
    std::string cluster{};  ///< its uid, which our volumes bear
    std::map<std::string, std::string> topology{};
    std::map<std::string, std::uint64_t> spare_bytes{};  ///< by group
    /// LVM's own backup of a group's metadata, "" when there is none. Called on the thread.
    std::function<std::string(const std::string& group)> metadata{};
    std::chrono::milliseconds heartbeat{30'000};
    std::chrono::milliseconds settle{200};  ///< changes within it are published together
    Lvm::Patience patience{10'000};         ///< for one step at LVM; what takes longer is gone on with
    std::chrono::milliseconds first_wait{200};
    std::chrono::milliseconds longest_wait{30'000};
    std::uint64_t seed = 0;  ///< another for every process
  };
  /// All outlive it. `http` is for watches alone, another than that of `client`: a write could take the
  /// connection by which a list is confirmed.
  struct Context {
    EventLoop& loop;
    kube::Http& http;
    kube::ObjectClient& client;
    Lvm& lvm;
    LocalVolumes& volumes;
    CapacityBook& book;
    Logger& log;
    csi::VolumeHolds* holds = nullptr;  ///< what the node's driver works on; null: there is none
  };

  VolumeAgent(const Context& context, Options options);
  VolumeAgent(const VolumeAgent&) = delete;
  VolumeAgent& operator=(const VolumeAgent&) = delete;
  /// Waits for the LVM command that runs.
  ~VolumeAgent();

  void start();
  /// LVM has changed by somebody else: an inline volume, a disk that came.
  void look_soon();
  /// What LVM had at the last look had no object: metrics tell.
  [[nodiscard]] std::uint64_t orphan_count() const { return orphan_count_; }

 private:
  /// When an object is tried again that could not be done; a new generation is not made to wait.
  struct Retry {
    Backoff backoff;
    std::chrono::nanoseconds not_before{};
    std::int64_t generation = 0;
  };
  struct Look;

  void turn();
  void note_change();
  void run(Worker::Job job, EventLoop::Callback done);
  void work(const LogicalVolumeObject& object);
  void look();
  void looked(const Look& found);
  void worked(const LogicalVolumeObject& object, const WorkOutcome& outcome);
  void write_status(const LogicalVolumeObject& object, const LogicalVolumeStatus& status);
  void write_finalizers(const LogicalVolumeObject& object, FinalizerChange change);
  void wrote(const LogicalVolumeObject& object, const Result<nlohmann::json>& kept, bool gone);
  void wait_for(const LogicalVolumeObject& object);
  [[nodiscard]] bool waits(const LogicalVolumeObject& object) const;
  [[nodiscard]] const LogicalVolumeObject* next_object() const;
  [[nodiscard]] NodeStorageStatus storage_of(const Look& found);
  [[nodiscard]] std::chrono::nanoseconds now() const { return context_.loop.clock().since_boot(); }
  void told_trouble(const Error& error);

  Context context_;
  Options options_;
  kube::ObjectCache<LogicalVolumeObject> cache_;
  kube::Watcher watcher_;
  StoragePublisher publisher_;
  std::map<std::string, kube::ObjectClient::CallPtr> calls_;  // writes on their way, by object
  std::map<std::string, Retry> retries_;
  std::vector<GroupReport> groups_;  // of the last look
  std::uint64_t orphan_count_ = 0;
  std::uint64_t next_seed_;
  bool recovered_ = false;
  bool working_ = false;
  std::optional<std::chrono::nanoseconds> look_at_;  // a look is due then
  EventLoop::Timer next_turn_;
  // Shared with what the thread still hands over when this has ended: then nothing is called.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::unique_ptr<Worker> worker_;
};

}  // namespace holdfast::lvm
