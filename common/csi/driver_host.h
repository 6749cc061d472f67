#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/exec.h"
#include "common/base/files.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/base/result.h"
#include "common/base/worker.h"
#include "common/csi/server.h"
#include "common/http/listen_address.h"

namespace holdfast::csi {

/// What the drivers of one process share. All outlive them.
struct HostContext {
  EventLoop& loop;
  Worker& worker;
  Files& files;
  Executor& executor;
  Clock& clock;
  Logger& log;
  Metrics& metrics;
};

/// A driver as a program hosts it. Lives on the loop's thread, but for prepare().
class HostedDriver {
 public:
  HostedDriver() = default;
  HostedDriver(const HostedDriver&) = delete;
  HostedDriver& operator=(const HostedDriver&) = delete;
  virtual ~HostedDriver() = default;

  /// Brings its storage to where calls can be answered, after a start: volumes activated, what was cut off
  /// finished. On the worker's thread; may block for seconds. Called again, after a while, when it fails.
  virtual Status prepare() = 0;
  /// How it is served, but for the probe, which says that it is ready when prepare() has succeeded once and
  /// ready() says so.
  [[nodiscard]] virtual ServedDriver served() = 0;
  /// Whether calls can be answered, beside what prepare() does. From any thread, at once.
  [[nodiscard]] virtual bool ready() const { return true; }
  /// The program is told to end: ends what needs the loop for it, and then calls `done`, once. The loop turns
  /// until all have, kEndPatience at most; calls that come meanwhile are still taken.
  virtual void end(const std::function<void()>& done) { done(); }
  /// Every kTick.
  virtual void tick() {}
  /// Before the metrics are shown: those that are read rather than counted.
  virtual void refresh_metrics() {}
};

struct HostSettings {
  std::optional<http::ListenAddress> metrics_address;
  std::chrono::milliseconds patience = std::chrono::seconds(20);  ///< with calls that run at the end
};

/// A program that serves drivers: runs until SIGTERM or SIGINT. Sockets open when the driver's first
/// prepare() has ended, also when it failed: what can be taken away must not wait for a storage that does not
/// come.
///
/// At the end drivers are told (HostedDriver::end), new calls are refused and those that run are waited for.
/// One that hangs in the kernel cannot be ended: then `leave` is called, which does not return (_exit(2)),
/// with the exit status.
///
/// Errors: those of `make`, of the event loop, and of DriverServer::start().
Status host_drivers(
    const HostSettings& settings,
    const std::function<Result<std::vector<std::unique_ptr<HostedDriver>>>(const HostContext&)>& make,
    Logger& log, const std::function<void(int)>& leave);

inline constexpr std::chrono::seconds kTick{5};
inline constexpr std::chrono::seconds kPrepareAgain{15};
inline constexpr std::chrono::seconds kEndPatience{5};

}  // namespace holdfast::csi
