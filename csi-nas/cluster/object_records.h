#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/kube/http.h"
#include "common/kube/object_cache.h"
#include "common/kube/object_client.h"
#include "common/kube/watcher.h"
#include "csi-nas/cluster/object_calls.h"
#include "csi-nas/cluster/volume_object.h"
#include "csi-nas/controller/nas_records.h"

namespace holdfast::nas {

/// Records as NasVolume objects, for the controller of a cluster.
///
/// Questions about one record are asked of the API server, not of what was heard before: another controller
/// may have acted a moment ago. Lists are what a watch told. Writes replace the state that was read
/// (NasRecord::version) and no other; one whose answer was lost is recognised by its content.
///
/// A record has a finalizer, which goes with the record's removal and not before: an object that somebody
/// deletes stays, and is used, until its volume is deleted.
///
/// Errors of all calls: kUnavailable when the API server does not answer within the patience; kAborted when
/// the record was changed meanwhile, or the server refuses. What was begun may have been done.
class ObjectRecords final : public NasRecords {
 public:
  /// All outlive it. `http` is for watches alone, another than that of `client`: a write could take the
  /// connection by which a list is confirmed.
  struct Context {
    EventLoop& loop;
    kube::Http& http;
    kube::ObjectClient& client;
    Logger& log;
  };

  /// On the loop's thread, which also ends it. `patience` is for one request. `seed`: another for every
  /// process.
  ObjectRecords(const Context& context, std::chrono::milliseconds patience, std::uint64_t seed);

  /// On the loop's thread.
  void start() { watcher_.start(); }

  Status put(NasRecord& record) override;
  Status remove(const NasRecord& record) override;
  [[nodiscard]] Result<std::optional<NasRecord>> by_id(const std::string& id) const override;
  [[nodiscard]] Result<std::optional<NasRecord>> by_name(const std::string& name,
                                                         bool snapshot) const override;
  [[nodiscard]] std::vector<NasRecord> list(bool snapshots) const override;
  [[nodiscard]] bool is_known() const override { return known_; }

 private:
  Result<nlohmann::json> ask(const ObjectCalls::Begin& begin) const;
  Result<nlohmann::json> write(const NasRecord& record);
  [[nodiscard]] Result<std::optional<NasRecord>> read(const std::string& object) const;
  [[nodiscard]] Result<std::optional<NasRecord>> search(const std::string& id) const;
  [[nodiscard]] std::optional<std::string> object_of(const std::string& id) const;
  void heard(const std::string& object);
  void forget(const kube::ObjectId& id);
  [[nodiscard]] kube::CallOptions options() const;

  Context context_;
  const std::chrono::milliseconds patience_;
  mutable ObjectCalls calls_;
  kube::ObjectCache<VolumeObject> cache_;  // the loop's
  kube::Watcher watcher_;
  std::atomic<bool> known_{false};
  mutable std::mutex mutex_;               // guards told_
  std::map<std::string, NasRecord> told_;  // what the cache holds, by the object's name, for all threads
};

}  // namespace holdfast::nas
