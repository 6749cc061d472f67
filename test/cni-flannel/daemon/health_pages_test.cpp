#include "cni-flannel/daemon/health_pages.h"

#include "cni-flannel/daemon/daemon_metrics.h"
#include "test/catch.h"
#include "test/fakes/fake_clock.h"
#include "test/fakes/log_lines.h"

namespace holdfast::flannel {
namespace {

struct Node {
  http::Page page(const std::string& path, const std::string& query = "") {
    return health_page({"GET", path, query}, conditions, metrics);
  }
  holdfast::test::LogLines log;
  holdfast::test::FakeClock clock;
  Conditions conditions{log, clock};
  Metrics metrics;
  DaemonMetrics daemon_metrics{metrics};
};

TEST_CASE_METHOD(Node, "Health is that it answers; ready is that all is programmed", "[flanneld]") {
  CHECK(page("/healthz").status == 200);
  CHECK(page("/healthz").body == "flanneld is running\n");
  CHECK(page("/readyz").status == 503);
  CHECK_THAT(page("/readyz").body, Catch::StartsWith("flanneld is not ready yet: "));
  for (const ConditionKind& kind :
       {kInterfaceFound, kLeaseKnown, kDeviceRight, kPeersProgrammed, kRulesInPlace, kSubnetFileWritten}) {
    conditions.well(kind);
  }
  CHECK(page("/readyz").status == 200);
  CHECK(page("/readyz").body == "flanneld is ready\n");
  CHECK_THAT(page("/readyz", "verbose").body, Catch::Contains("[+]DeviceRight ok\n") &&
                                                  Catch::Contains("[-]SourceReachable failed: not yet") &&
                                                  Catch::EndsWith("flanneld is ready\n"));
}

TEST_CASE_METHOD(Node, "All metrics are there from the start", "[flanneld]") {
  const http::Page served = page("/metrics");
  CHECK(served.content_type == Metrics::kContentType);
  for (const char* line :
       {"flanneld_peers_wanted{family=\"ipv4\"} 0\n", "flanneld_peers_programmed{family=\"ipv6\"} 0\n",
        "flanneld_peers_failed{family=\"ipv4\"} 0\n", "flanneld_reconcile_seconds_count{what=\"all\"} 0\n",
        "flanneld_netlink_errors_total 0\n", "flanneld_authoritative_list_age_seconds -1\n",
        "flanneld_vtep_mac_contested 0\n"}) {
    CHECK_THAT(served.body, Catch::Contains(line));
  }
}

TEST_CASE_METHOD(Node, "Another path is told which there are", "[flanneld]") {
  CHECK(page("/").status == 404);
  CHECK(page("/healthz/").status == 404);
  CHECK_THAT(page("/").body, Catch::Contains("/readyz?verbose"));
}

}  // namespace
}  // namespace holdfast::flannel
