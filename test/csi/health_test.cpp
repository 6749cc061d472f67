#include "common/csi/health.h"

#include <vector>

#include "test/catch.h"

namespace holdfast::csi {
namespace {

Result<bool> ready() { return true; }
Result<bool> starting() { return false; }
Result<bool> broken() { return fail(Code::kFailedPrecondition, "kernel 4.4 is too old"); }

TEST_CASE("/healthz fails with a driver that cannot recover, /readyz with one that is not ready", "[csi]") {
  struct Row {
    const char* name;
    Probe second;
    int health;
    int readiness;
    const char* body;
  };
  const auto row = GENERATE(values<Row>({
      {"all ready", ready, 200, 200, "a: ready\nb: ready\n"},
      {"one starting", starting, 200, 503, "a: ready\nb: starting\n"},
      {"one broken", broken, 503, 503, "a: ready\nb: kernel 4.4 is too old\n"},
  }));
  DYNAMIC_SECTION(row.name) {
    const Metrics metrics;
    const std::vector<ProbedDriver> drivers = {{"a", ready}, {"b", row.second}};
    const http::Page health = health_page({"GET", "/healthz", ""}, drivers, metrics);
    const http::Page readiness = health_page({"GET", "/readyz", ""}, drivers, metrics);
    CHECK(health.status == row.health);
    CHECK(readiness.status == row.readiness);
    CHECK(health.body == row.body);
    CHECK(readiness.body == row.body);
  }
}

TEST_CASE("/metrics shows the program's metrics, and other pages are not there", "[csi]") {
  Metrics metrics;
  metrics.gauge("holdfast_csi_registered", "help").set(1);
  CHECK(health_page({"GET", "/metrics", ""}, {}, metrics).body.find("holdfast_csi_registered 1") !=
        std::string::npos);
  CHECK(health_page({"GET", "/", ""}, {}, metrics).status == 404);
}

}  // namespace
}  // namespace holdfast::csi
