#include "csi-disk/backend/plugin/plugin_disks.h"

#include <sys/stat.h>

#include "csi-disk/backend/plugin/plugin_server.h"
#include "csi-disk/conformance/conformance.h"
#include "test/catch.h"
#include "test/csi-disk/backend/disk_region.h"
#include "test/csi-disk/conformance/forwarding_disks.h"

namespace holdfast::disk {
namespace {

using cloud::CallEnd;
using std::chrono::milliseconds;

constexpr milliseconds kPatient{5000};

struct PluginCloud : DiskRegion {
  std::unique_ptr<PluginServer> serve(DiskBackend& backend) {
    auto server = PluginServer::start(backend, socket);
    REQUIRE(server);
    return *std::move(server);
  }
  std::filesystem::path socket = folder / "plugin" / "disks.sock";
};

TEST_CASE_METHOD(PluginCloud, "a backend behind a plugin keeps every promise that it keeps itself",
                 "[disk]") {
  tell("nodes", {{"i-1", {{"zone", "sim-1a"}, {"most", 100}}}, {"i-2", {{"zone", "sim-1a"}, {"most", 100}}}});
  const auto server = serve(alibaba);
  const auto plugin = PluginDisks::connect(socket, kPatient);
  REQUIRE(plugin);
  CHECK((*plugin)->abilities() == alibaba.abilities());
  TrialPlan plan{.run = "t", .node = "i-1", .other_node = "i-2", .zone = "sim-1a"};
  plan.performance = {.type = "cloud_essd", .level = "PL1"};
  plan.modified = {.type = "cloud_auto", .iops = 3000, .bursting = true};
  plan.settling = std::chrono::seconds(2);
  for (const CaseResult& each : try_backend(**plugin, clock, plan, {})) {
    INFO(each.name << ": " << each.why);
    CHECK(each.end == CaseResult::End::kKept);
  }
  struct stat at {};
  REQUIRE(::stat(socket.c_str(), &at) == 0);
  CHECK((at.st_mode & 0777) == 0600);
}

TEST_CASE_METHOD(PluginCloud, "a plugin that is not there never got the call, and may come back", "[disk]") {
  const auto nobody = PluginDisks::connect(socket, milliseconds(100));
  REQUIRE_FALSE(nobody);
  CHECK(nobody.error().code == Code::kUnavailable);
  auto server = serve(alibaba);
  const auto plugin = PluginDisks::connect(socket, kPatient);
  REQUIRE(plugin);
  CHECK((*plugin)->disks({"d-1"}, kPatient));
  server.reset();
  const auto lost = (*plugin)->delete_disk("d-1", milliseconds(200));
  REQUIRE_FALSE(lost);
  CHECK((lost.error().end == CallEnd::kNotSent || lost.error().end == CallEnd::kUnknownOutcome));
  server = serve(alibaba);
  CHECK((*plugin)->delete_disk("d-1", kPatient));
}

TEST_CASE_METHOD(PluginCloud, "how a call ended is told through a plugin as it was", "[disk]") {
  class Failing final : public ForwardingDisks {
   public:
    using ForwardingDisks::ForwardingDisks;
    Done delete_disk(const std::string& /*id*/, Deadline /*deadline*/) override {
      return tl::unexpected(error);
    }
    cloud::CallError error;
  };
  Failing failing(alibaba);
  const auto server = serve(failing);
  const auto plugin = PluginDisks::connect(socket, kPatient);
  REQUIRE(plugin);
  for (const CallEnd end : {CallEnd::kRefused, CallEnd::kThrottled, CallEnd::kNoSuchThing,
                            CallEnd::kUnknownOutcome, CallEnd::kNotSent}) {
    failing.error = {.end = end, .code = "QuotaX", .message = "why", .retry_after = std::chrono::seconds(7)};
    const auto done = (*plugin)->delete_disk("d-1", kPatient);
    REQUIRE_FALSE(done);
    CHECK(done.error().end == end);
    CHECK(done.error().code == "QuotaX");
    CHECK(done.error().message == "why");
    CHECK(done.error().retry_after == std::chrono::seconds(7));
  }
  CHECK((*plugin)->delete_disk("d-1", milliseconds(0)).error().end == CallEnd::kNotSent);
}

}  // namespace
}  // namespace holdfast::disk
