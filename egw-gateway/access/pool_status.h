#pragma once

#include <chrono>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/kube/cluster_link.h"
#include "common/kube/events.h"
#include "egw-gateway/access/access_agent.h"

namespace holdfast::gateway {

/// What an access point applies to a pool's object, under a field manager of its own:
///
///     status: {accessPoints: [{name: POINT, active, lastSwitch, reason, message, keys: [KEY]}]}
[[nodiscard]] nlohmann::json status_of(const PoolReport& report, const std::string& access_point);

/// Tells pools' objects how they fare at this access point, and those who look at them by an Event when
/// something is wrong with the VPC's routes. Nothing depends on it: what cannot be written, as the server is
/// away, is tried until it can, and then the latest of each pool.
class PoolStatusWriter {
 public:
  /// All outlive it.
  PoolStatusWriter(EventLoop& loop, kube::ClusterLink& link, Logger& log, std::string access_point);

  void write(const PoolReport& report);

 private:
  struct Entry {
    PoolReport latest{};
    bool waits = false;  // latest is not written
    kube::ObjectClient::CallPtr call{};
  };
  void begin(const std::string& pool);

  kube::ClusterLink& link_;
  Logger& log_;
  std::string access_point_;
  std::map<std::string, Entry> entries_;
  kube::EventRecorder events_;
};

}  // namespace holdfast::gateway
