#pragma once

#include <string>

#include "common/base/metrics.h"
#include "common/http/page_server.h"
#include "egw-gateway/health/health.h"

namespace holdfast::gateway {

/// The pages of a program of the gateway: /healthz, /readyz, /readyz?verbose, /metrics. `running` is what
/// /healthz says, "egw-core is running, WireGuard by the kernel".
[[nodiscard]] http::Page health_page(const http::RequestHead& head, const std::string& program,
                                     const std::string& running, const Health& health,
                                     const Metrics& metrics);

}  // namespace holdfast::gateway
