#pragma once

#include <functional>
#include <span>
#include <string>

#include "common/base/metrics.h"
#include "common/base/result.h"
#include "common/http/page_server.h"

namespace holdfast::csi {

/// Whether a driver is ready for calls; an error when it cannot become so by itself. Answers from memory, at
/// once and from any thread: a storage that hangs must not look like a program that does.
using Probe = std::function<Result<bool>()>;

struct ProbedDriver {
  std::string name;
  Probe probe;
};

/// The page that a request asks for:
///
///     /healthz    200 when no driver's probe fails, else 503 and which ones: restart the program then
///     /readyz     200 when all drivers are ready, else 503 and which ones are not
///     /metrics    for Prometheus
[[nodiscard]] http::Page health_page(const http::RequestHead& head, std::span<const ProbedDriver> drivers,
                                     const Metrics& metrics);

}  // namespace holdfast::csi
