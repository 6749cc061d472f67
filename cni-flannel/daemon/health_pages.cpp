#include "cni-flannel/daemon/health_pages.h"

#include <string>

namespace holdfast::flannel {
namespace {

// Upstream's words: scripts may look for them.
constexpr const char* kHealthy = "flanneld is running";
constexpr const char* kReady = "flanneld is ready";
constexpr const char* kNotReady = "flanneld is not ready yet";

http::Page ready_page(const Conditions& conditions, bool verbose) {
  const bool ready = conditions.ready();
  std::string body = ready ? kReady : kNotReady;
  if (verbose) {
    body = conditions.report() + body;
  } else if (!ready) {
    body += ": " + conditions.first_trouble();
  }
  return {ready ? 200 : 503, body + "\n"};
}

}  // namespace

http::Page health_page(const http::RequestHead& head, const Conditions& conditions, const Metrics& metrics) {
  if (head.path == "/healthz") return {200, std::string(kHealthy) + "\n"};
  if (head.path == "/readyz") return ready_page(conditions, http::has_parameter(head.query, "verbose"));
  if (head.path == kMetricsPath) return {200, metrics.render(), std::string(Metrics::kContentType)};
  return {404, "there are /healthz, /readyz, /readyz?verbose and /metrics\n"};
}

}  // namespace holdfast::flannel
