#include "test/csi-disk/controller/memory_disks.h"

#include "csi-disk/conformance/conformance.h"
#include "test/catch.h"

namespace holdfast::disk {
namespace {

TEST_CASE("the disks in memory that the controller is tested with keep every promise of a cloud's",
          "[disk]") {
  SystemClock clock;
  for (const int settling : {0, 20}) {
    DYNAMIC_SECTION(settling << " ms to settle") {
      MemoryDisks disks(clock, std::chrono::milliseconds(settling));
      for (auto& [id, node] : disks.nodes) node.most_disks = 100;
      TrialPlan plan{.run = "t", .node = "i-1", .other_node = "i-2", .zone = "a"};
      plan.performance = {.type = "cloud_essd", .level = "PL1"};
      plan.modified = {.type = "cloud_auto", .iops = 3000, .bursting = true};
      plan.settling = std::chrono::seconds(2);
      for (const CaseResult& each : try_backend(disks, clock, plan, {})) {
        INFO(each.name << ": " << each.why);
        CHECK(each.end == CaseResult::End::kKept);
      }
    }
  }
}

}  // namespace
}  // namespace holdfast::disk
