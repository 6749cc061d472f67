#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "common/base/backoff.h"
#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/kube/object_cache.h"
#include "common/kube/object_client.h"
#include "common/kube/watcher.h"
#include "csi-lvm/cluster/published_capacity.h"

namespace holdfast::lvm {

/// Keeps the CSIStorageCapacities of our classes as wanted_capacities() has them, within a second of a
/// change, while this process leads. Those of nodes and classes that have vanished are removed; others' are
/// never touched. A cluster that does not know the kind is asked for it now and then. Belongs to the event
/// loop.
class CapacityPublisher {
 public:
  struct Options {
    std::string driver{};
    std::string topology_key{};
    std::string name_space{};  ///< where the objects are: that of this program
    std::uint64_t seed = 0;    ///< another for every process
  };
  /// All outlive it. `http` is for watches alone, as ClusterState's.
  struct Context {
    EventLoop& loop;
    kube::Http& http;
    kube::ObjectClient& client;
    ClusterState& state;
    Logger& log;
  };

  CapacityPublisher(const Context& context, Options options);
  CapacityPublisher(const CapacityPublisher&) = delete;
  CapacityPublisher& operator=(const CapacityPublisher&) = delete;
  ~CapacityPublisher() = default;

  /// Asks which version of the kind there is, and reads what there is of it.
  void start();
  /// Writes from now on, or not any more.
  void lead(bool leads);

 private:
  using Call = kube::ObjectClient::CallPtr;

  void ask_for_kind();
  void kind_read(const Result<nlohmann::json>& discovery);
  void watch();
  void look();
  void look_later();
  void write(const std::string& name, Call call) { calls_[name] = std::move(call); }
  void put(const CapacityObject& wanted, const CapacityObject* actual);
  void remove(const CapacityObject& actual);
  void ended(const std::string& name, const Result<nlohmann::json>& kept);
  void told_trouble(const Error& error);
  [[nodiscard]] kube::Resource capacities() const;

  Context context_;
  Options options_;
  kube::ObjectCache<StorageClassObject> classes_;
  kube::ObjectCache<CapacityObject> actual_;
  std::unique_ptr<kube::Watcher> class_watcher_;
  std::unique_ptr<kube::Watcher> capacity_watcher_;
  std::size_t asked_ = 0;  // which version is asked for
  std::string version_;    // of the kind; empty: not known
  bool leads_ = false;
  std::map<std::string, Call> calls_;  // writes on their way, by object
  Call question_;
  Backoff backoff_;
  EventLoop::Timer soon_;
  EventLoop::Timer retry_;
};

}  // namespace holdfast::lvm
