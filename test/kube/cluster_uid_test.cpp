#include "common/kube/cluster_uid.h"

#include <nlohmann/json.hpp>

#include "test/catch.h"
#include "test/fakes/log_lines.h"
#include "test/fakes/temporary_folder.h"
#include "test/kube_server/api_server_thread.h"

namespace holdfast::kube {
namespace {

using namespace std::chrono_literals;

struct UidScene {
  test::TemporaryFolder folder;
  test::ApiServerThread server;
  SystemClock clock;
  PosixFiles files;
  Metrics metrics;
  test::LogLines log;
  std::filesystem::path file = folder.path() / "cluster";

  UidScene() {
    server.with([](test::ApiServer& api) {
      api.put("/api/v1/namespaces/kube-system", {{"metadata", nlohmann::json::object()}});
    });
  }
  void answers(bool answered) {
    server.with([answered](test::ApiServer& api) {
      api.clear_faults();
      if (!answered) api.fault({.kind = test::FaultKind::kDrop, .verb = {}, .plural = {}, .times = -1});
    });
  }
  std::string uid() {
    return server.with([](test::ApiServer& api) -> std::string {
      return (*api.find("/api/v1/namespaces/kube-system"))["metadata"]["uid"];
    });
  }
  Result<std::string> learn(std::chrono::milliseconds patience = 60s) {
    Config config;
    config.server = server.url();
    return learn_cluster_uid(config, {.clock = clock,
                                      .files = files,
                                      .metrics = metrics,
                                      .log = log,
                                      .program = "test",
                                      .file = file,
                                      .patience_with_kept = patience,
                                      .patience_without = patience});
  }
};

TEST_CASE_METHOD(UidScene, "a cluster that was learnt is known without its API server", "[kube]") {
  answers(false);
  const Result<std::string> unknown = learn(50ms);
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code == Code::kUnavailable);
  answers(true);
  CHECK(learn().value() == uid());
  answers(false);
  CHECK(learn(50ms).value() == uid());
  CHECK(log.count("the one of the last start") == 1);
}

TEST_CASE_METHOD(UidScene, "a machine that was moved to another cluster learns that", "[kube]") {
  REQUIRE(keep_cluster_uid(files, file, "another"));
  CHECK(learn().value() == uid());
  CHECK(log.count("this is another cluster now") == 1);
  CHECK(kept_cluster_uid(files, file, log).value() == uid());
}

}  // namespace
}  // namespace holdfast::kube
