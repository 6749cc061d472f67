#include "common/csi/volume_holds.h"

#include <atomic>
#include <thread>
#include <vector>

#include "test/catch.h"

namespace holdfast::csi {
namespace {

using Kind = VolumeHolds::Kind;

TEST_CASE("A second operation on a volume is told at once that one is under way, and which", "[csi]") {
  VolumeHolds holds;
  Result<VolumeHolds::Held> first = holds.hold(Kind::kVolume, "pvc-1", "NodeStageVolume");
  REQUIRE(first.has_value());

  const Result<VolumeHolds::Held> second = holds.hold(Kind::kVolume, "pvc-1", "NodeUnstageVolume");
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().code == Code::kAborted);
  CHECK(second.error().message == "volume pvc-1: NodeStageVolume is under way");

  first->release();
  CHECK(holds.hold(Kind::kVolume, "pvc-1", "NodeUnstageVolume").has_value());
  CHECK(holds.count() == 0);
}

TEST_CASE("Other volumes, and a snapshot of the same name, are not held", "[csi]") {
  VolumeHolds holds;
  const Result<VolumeHolds::Held> held = holds.hold(Kind::kVolume, "pvc-1", "CreateVolume");
  CHECK(holds.hold(Kind::kVolume, "pvc-2", "CreateVolume").has_value());
  CHECK(holds.hold(Kind::kSnapshot, "pvc-1", "CreateSnapshot").has_value());
}

TEST_CASE("A hold moves with its object and ends once", "[csi]") {
  VolumeHolds holds;
  VolumeHolds::Held kept;
  {
    Result<VolumeHolds::Held> held = holds.hold(Kind::kVolume, "pvc-1", "CreateVolume");
    kept = *std::move(held);
  }
  CHECK(holds.count() == 1);
  Result<VolumeHolds::Held> other = holds.hold(Kind::kVolume, "pvc-2", "CreateVolume");
  kept = *std::move(other);
  CHECK(holds.hold(Kind::kVolume, "pvc-1", "DeleteVolume").has_value());
  kept.release();
  kept.release();
  CHECK(holds.count() == 0);
}

TEST_CASE("Of many threads that want one volume at a time each gets it alone", "[csi]") {
  constexpr int kThreads = 8;
  constexpr int kRounds = 200;
  VolumeHolds holds;
  std::atomic<int> inside{0};
  std::atomic<int> together{0};
  std::atomic<int> got{0};
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) {
        const Result<VolumeHolds::Held> held = holds.hold(Kind::kVolume, "pvc-1", "NodeStageVolume");
        if (!held) continue;
        if (inside.fetch_add(1) != 0) ++together;
        ++got;
        inside.fetch_sub(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(got > 0);
  CHECK(together == 0);
  CHECK(holds.count() == 0);
}

}  // namespace
}  // namespace holdfast::csi
