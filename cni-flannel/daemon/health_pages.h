#pragma once

#include <functional>
#include <string_view>

#include "cni-flannel/daemon/conditions.h"
#include "common/base/metrics.h"
#include "common/http/page_server.h"

namespace holdfast::flannel {

inline constexpr std::string_view kMetricsPath = "/metrics";

/// The page that a request asks for:
///
///     /healthz           200: it runs, and its event loop turns
///     /readyz            200: own devices are right and every known peer is programmed; else 503 and why
///     /readyz?verbose    the same with all conditions
///     /metrics           for Prometheus
[[nodiscard]] http::Page health_page(const http::RequestHead& head, const Conditions& conditions,
                                     const Metrics& metrics);

}  // namespace holdfast::flannel
