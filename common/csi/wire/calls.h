#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/base/result.h"
#include "common/csi/methods.h"
#include "common/csi/volume_holds.h"
#include "common/csi/wire/validation.h"

namespace google::protobuf {
class Message;
}  // namespace google::protobuf

namespace holdfast::csi {

/// What is done about every call of one driver, around its handler: the request is validated, its volume or
/// snapshot held, an exception made an error, the call logged in one line and counted. From any thread.
///
/// Metrics: csi_plugin_operations_seconds, a histogram with the labels and values that the public library of
/// the Kubernetes sidecars gives it (driver_name, method_name "/csi.v1.Node/NodeStageVolume",
/// grpc_status_code "InvalidArgument"), so that dashboards made for others show ours.
class Calls {
 public:
  /// All outlive it; `clock` is asked from any thread.
  struct Context {
    Logger& log;
    Metrics& metrics;
    Clock& clock;
    VolumeHolds& holds;
  };
  using Handler = std::function<Status()>;

  Calls(const Context& context, std::string driver, const Validation& validation);
  Calls(const Calls&) = delete;
  Calls& operator=(const Calls&) = delete;
  ~Calls() = default;

  /// Runs the call that `request` asks for. Errors: the handler's; those of validate() and of VolumeHolds,
  /// without running it; kUnavailable after close(). An exception of the handler becomes kInternal, or
  /// kAborted for a call that may have made something: then it is asked for again (answers.h).
  Status run(const google::protobuf::Message& request, const Handler& handler);

  /// From now on calls are answered UNAVAILABLE.
  void close();
  /// Waits until no call runs, for `patience`. What runs still: "NodeStageVolume pvc-1".
  [[nodiscard]] std::vector<std::string> wait_until_idle(std::chrono::milliseconds patience);

 private:
  class Running;
  Status checked(const Method& method, const google::protobuf::Message& request, const std::string& id,
                 const Handler& handler);
  void record(const Method& method, const google::protobuf::Message& request, const std::string& id,
              const Status& done, std::chrono::nanoseconds duration);
  Histogram& histogram(const google::protobuf::Message& request, const Method& method, const Status& done);

  Context context_;
  const std::string driver_;
  const Validation validation_;
  std::mutex mutex_;  // guards closed_ and running_
  std::condition_variable changed_;
  bool closed_ = false;
  std::multimap<const Method*, std::string> running_;
};

}  // namespace holdfast::csi
