#pragma once

#include <functional>
#include <string>

#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/base/result.h"
#include "common/http/listen_address.h"
#include "egw-gateway/health/health.h"

namespace holdfast::gateway {

/// How a program of the gateway is seen from outside. What it refers to outlives the run.
struct ServedProgram {
  std::string name;     ///< "egw-core"
  std::string running;  ///< what /healthz says
  http::ListenAddress healthz;
  const Health& health;
  const Metrics& metrics;
};

/// Serves health_page(), begins the program's work by `start`, tells the service manager that it is ready,
/// and runs `loop` until it is stopped. Errors: those of `start`, and of the loop.
Status run_served(EventLoop& loop, Logger& log, const ServedProgram& program,
                  const std::function<Status()>& start);

}  // namespace holdfast::gateway
