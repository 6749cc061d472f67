#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/files.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/base/result.h"
#include "common/csi/driver.h"
#include "common/csi/health.h"
#include "common/csi/profile.h"
#include "common/csi/volume_holds.h"

namespace holdfast::csi {

/// What a driver as a whole can do, which every one of its programs tells, whichever part of it runs there.
struct PluginCapabilities {
  bool controller = true;
  bool topology = false;  ///< a volume may not be reachable from every node
  bool online_expansion = true;
};

/// One driver to serve.
struct ServedDriver {
  Profile profile;
  PluginCapabilities capabilities;
  std::filesystem::path socket;
  /// Where kubelet looks for drivers; unset for a controller, which no kubelet has to know.
  std::optional<std::filesystem::path> registration_socket;
  std::string endpoint;  ///< `socket` as kubelet sees it
  Probe probe;
  bool stages = false;  ///< the node's side has STAGE_UNSTAGE_VOLUME
  /// Which volumes calls work on, where threads of the driver's own take them too; null: the program's.
  VolumeHolds* holds = nullptr;
  ControllerDriver* controller = nullptr;  ///< those that are not null are served; they outlive the server
  NodeDriver* node = nullptr;
};

/// Serves one driver on its socket, and its registration on another, by one gRPC server. A thread for each
/// call, at most kMaxThreads: with more at a time the next ones are answered RESOURCE_EXHAUSTED.
///
/// The sockets are of mode 0600, kept by KeptSocket, and removed by stop() or at the end. Connections are
/// taken on the event loop, so nothing is served while it does not turn; calls then run on gRPC's threads.
/// Several of them in one process serve several drivers. Started, stopped and destroyed on the loop's thread,
/// or when the loop does not turn.
class DriverServer {
 public:
  /// More than kubelet and its helpers ask for at a time: the provisioner alone makes 100 calls. It takes
  /// RESOURCE_EXHAUSTED for a node that is full.
  static constexpr int kMaxThreads = 160;

  /// All outlive it.
  struct Context {
    EventLoop& loop;
    Files& files;
    Logger& log;
    Metrics& metrics;
    Clock& clock;
    VolumeHolds& holds;  ///< one for each driver: ids of two are not of one kind
  };

  /// Errors: those of KeptSocket::open for either socket; kInternal when gRPC does not start.
  static Result<std::unique_ptr<DriverServer>> start(const Context& context, ServedDriver driver);
  DriverServer(const DriverServer&) = delete;
  DriverServer& operator=(const DriverServer&) = delete;
  /// Waits for calls that run, for ever: who may not wait looks at what stop() answers first.
  ~DriverServer();

  /// Removes the sockets, answers new calls UNAVAILABLE and waits for those that run. Errors:
  /// kDeadlineExceeded naming those that run still after `patience`: a call that hangs in the kernel cannot
  /// be ended, so the program ends by _exit(2) then, without destroying this.
  Status stop(std::chrono::milliseconds patience);

 private:
  class State;
  explicit DriverServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::csi
