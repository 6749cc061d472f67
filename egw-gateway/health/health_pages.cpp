#include "egw-gateway/health/health_pages.h"

namespace holdfast::gateway {

http::Page health_page(const http::RequestHead& head, const std::string& program, const std::string& running,
                       const Health& health, const Metrics& metrics) {
  if (head.path == "/healthz") return {200, running + "\n"};
  if (head.path == "/metrics") return {200, metrics.render(), std::string(Metrics::kContentType)};
  if (head.path != "/readyz") return {404, "there are /healthz, /readyz, /readyz?verbose and /metrics\n"};
  const bool ready = health.ready();
  std::string body = program + (ready ? " is ready" : " is not ready");
  if (http::has_parameter(head.query, "verbose")) {
    body = health.report() + body;
  } else if (!ready) {
    body += ": " + health.first_trouble();
  }
  return {ready ? 200 : 503, body + "\n"};
}

}  // namespace holdfast::gateway
