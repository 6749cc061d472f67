#include "common/csi/health.h"

namespace holdfast::csi {
namespace {

constexpr int kGood = 200;
constexpr int kUnavailable = 503;

http::Page probe_page(std::span<const ProbedDriver> drivers, bool want_ready) {
  http::Page page{kGood, {}};
  for (const ProbedDriver& driver : drivers) {
    const Result<bool> ready = driver.probe();
    if (!ready || (want_ready && !*ready)) page.status = kUnavailable;
    page.body += driver.name + ": " + (!ready ? ready.error().message : *ready ? "ready" : "starting") + "\n";
  }
  return page;
}

}  // namespace

http::Page health_page(const http::RequestHead& head, std::span<const ProbedDriver> drivers,
                       const Metrics& metrics) {
  if (head.path == "/healthz") return probe_page(drivers, false);
  if (head.path == "/readyz") return probe_page(drivers, true);
  if (head.path == "/metrics") return {kGood, metrics.render(), std::string(Metrics::kContentType)};
  return {404, "there are /healthz, /readyz and /metrics\n"};
}

}  // namespace holdfast::csi
