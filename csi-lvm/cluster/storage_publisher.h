#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "common/base/backoff.h"
#include "common/base/event_loop.h"
#include "common/kube/object_client.h"
#include "csi-lvm/cluster/node_storage.h"

namespace holdfast::lvm {

/// Keeps a node's NodeStorage as it is to be: written at once when it changes, and a heartbeat alone
/// meanwhile. One write at a time; what fails is tried again. Belongs to the event loop.
class StoragePublisher {
 public:
  struct Options {
    std::string node{};
    std::map<std::string, std::string> topology{};
    std::chrono::milliseconds heartbeat{30'000};  ///< a tenth more or less
    std::uint64_t seed = 0;                       ///< another for every process
  };

  /// `loop` and `client` outlive it. `beat` is called before each heartbeat; `trouble` when a write failed.
  StoragePublisher(EventLoop& loop, kube::ObjectClient& client, Options options, std::function<void()> beat,
                   std::function<void(const Error&)> trouble);
  StoragePublisher(const StoragePublisher&) = delete;
  StoragePublisher& operator=(const StoragePublisher&) = delete;
  ~StoragePublisher() = default;

  /// From now on there are heartbeats.
  void start();
  /// Its heartbeat time is ours to fill in.
  void publish(NodeStorageStatus status);

 private:
  void step();
  void apply_object();
  void write_status();
  void ended(const Status& how);
  void beat();
  [[nodiscard]] std::chrono::nanoseconds spread_heartbeat();

  EventLoop& loop_;
  kube::ObjectClient& client_;
  Options options_;
  std::function<void()> beat_;
  std::function<void(const Error&)> trouble_;
  Backoff backoff_;
  Backoff spread_;
  bool applied_ = false;  // the object is there, with our spec
  bool beat_due_ = false;
  std::uint64_t beats_ = 0;
  std::optional<NodeStorageStatus> wanted_;
  std::optional<NodeStorageStatus> written_;
  kube::ObjectClient::CallPtr call_;
  EventLoop::Timer next_;
  EventLoop::Timer heartbeat_;
};

}  // namespace holdfast::lvm
