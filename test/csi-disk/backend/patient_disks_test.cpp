#include "csi-disk/backend/patient_disks.h"

#include <atomic>
#include <iostream>
#include <thread>

#include "test/catch.h"
#include "test/csi-disk/backend/disk_region.h"
#include "test/fakes/fake_clock.h"

namespace holdfast::disk {
namespace {

using cloud::CallEnd;
using cloud::sim::Fault;
using std::chrono::milliseconds;

constexpr milliseconds kPatient{20'000};

DiskSpec essd(const std::string& name) {
  return {.name = name, .gib = 20, .performance = {.type = "cloud_essd"}, .zone = "sim-1a"};
}

struct PatientCloud : DiskRegion {
  explicit PatientCloud(milliseconds settling = {}) : DiskRegion(settling) {
    tell("nodes", {{"i-1", {{"zone", "sim-1a"}, {"most", 1000}}}});
  }
  PatientDisks disks{alibaba, clock, {.first_pause = milliseconds(5), .longest_pause = milliseconds(20)}};
};

TEST_CASE_METHOD(PatientCloud, "what may have been done is asked for again with its token, and done once",
                 "[disk]") {
  const Fault faults[] = {
      {.how = Fault::How::kDrop},     {.when = Fault::When::kAfter, .how = Fault::How::kDrop},
      {.how = Fault::How::kError},    {.when = Fault::When::kAfter, .how = Fault::How::kError},
      {.how = Fault::How::kThrottle},
  };
  std::size_t made = 0;
  for (Fault fault : faults) {
    for (const char* const action :
         {"CreateDisk", "AttachDisk", "ResizeDisk", "TagResources", "CreateSnapshot", "DescribeDisks",
          "DetachDisk", "DeleteSnapshot", "DeleteDisk"}) {
      fault.action = action;
      cloud.add_fault(fault);
    }
    const std::string token = std::to_string(++made);
    const std::string id = disks.create_disk(essd("pvc"), "create" + token, kPatient).value();
    REQUIRE(disks.attach_disk(id, "i-1", kPatient));
    REQUIRE(disks.grow_disk(id, 40, "grow" + token, kPatient));
    REQUIRE(disks.tag_disk(id, {{"a", "b"}}, {}, kPatient));
    const auto cut = disks.create_snapshot({.name = "s", .disk = id}, "cut" + token, kPatient);
    REQUIRE(cut);
    CHECK(cloud.state()["disks"].size() == 1);
    CHECK(cloud.state()["snapshots"].size() == 1);
    CHECK(disks.disks({id}, kPatient)->front().gib == 40);
    REQUIRE(disks.detach_disk(id, "i-1", kPatient));
    REQUIRE(disks.delete_snapshot(*cut, kPatient));
    REQUIRE(disks.delete_disk(id, kPatient));
    CHECK(cloud.state()["disks"].empty());
    CHECK(cloud.state()["snapshots"].empty());
  }
}

TEST_CASE_METHOD(PatientCloud, "a create without a token that may have been done is not asked for again",
                 "[disk]") {
  cloud.add_fault({.action = "CreateDisk", .when = Fault::When::kAfter, .how = Fault::How::kDrop});
  const auto made = disks.create_disk(essd("pvc"), "", kPatient);
  REQUIRE_FALSE(made);
  CHECK(made.error().end == CallEnd::kUnknownOutcome);
  CHECK(cloud.calls()["CreateDisk"] == 1);
}

TEST_CASE_METHOD(PatientCloud, "what may have been done is not told as refused because its repeat is",
                 "[disk]") {
  cloud.add_fault({.action = "CreateDisk", .when = Fault::When::kAfter, .how = Fault::How::kDrop});
  cloud.add_fault({.action = "CreateDisk", .how = Fault::How::kRefuse, .code = "QuotaExceed.DiskCapacity"});
  const auto made = disks.create_disk(essd("pvc"), "create", kPatient);
  REQUIRE_FALSE(made);
  CHECK(made.error().end == CallEnd::kUnknownOutcome);
  CHECK(disks.create_disk(essd("pvc"), "create", kPatient).has_value());
  CHECK(cloud.state()["disks"].size() == 1);
}

TEST_CASE_METHOD(PatientCloud, "patience ends with the deadline, and tells what may have been done",
                 "[disk]") {
  cloud.add_fault({.action = "DeleteDisk", .how = Fault::How::kThrottle, .times = -1});
  const auto begin = clock.since_boot();
  const auto throttled = disks.delete_disk("d-1", milliseconds(300));
  REQUIRE_FALSE(throttled);
  CHECK(throttled.error().end == CallEnd::kThrottled);
  CHECK(clock.since_boot() - begin < std::chrono::seconds(1));
  PatientDisks other(alibaba, clock, {.first_pause = milliseconds(5), .longest_pause = milliseconds(20)});
  cloud.add_fault({.action = "AttachDisk", .how = Fault::How::kDrop});
  cloud.add_fault({.action = "AttachDisk", .how = Fault::How::kThrottle, .times = -1});
  CHECK(other.attach_disk("d-1", "i-1", milliseconds(300)).error().end == CallEnd::kUnknownOutcome);
  CHECK(other.attach_disk("d-1", "i-1", milliseconds(0)).error().end != CallEnd::kRefused);
}

TEST_CASE("what frees a disk goes before what takes one, when the cloud has had enough", "[disk]") {
  SystemClock clock;
  CallGate gate(clock, 1);
  gate.throttled(milliseconds(200));
  std::mutex mutex;
  std::vector<CallRank> order;
  std::vector<std::thread> callers;
  for (const CallRank rank : {CallRank::kAttach, CallRank::kAttach, CallRank::kOther, CallRank::kDetach}) {
    callers.emplace_back([&, rank] {
      REQUIRE(gate.pass(rank, clock.since_boot() + std::chrono::seconds(10)));
      {
        const std::lock_guard lock(mutex);
        order.push_back(rank);
      }
      gate.throttled(milliseconds(20));
    });
  }
  for (std::thread& each : callers) each.join();
  CHECK(order ==
        std::vector<CallRank>{CallRank::kDetach, CallRank::kOther, CallRank::kAttach, CallRank::kAttach});
  CHECK_FALSE(gate.pass(CallRank::kDetach, clock.since_boot()));
}

TEST_CASE("those who ask at the same time are answered by one call, each with its own", "[disk]") {
  PatientCloud region;
  region.tell("latency", {{"milliseconds", 20}});
  constexpr int kDisks = 8;
  std::vector<std::string> ids;
  for (int n = 0; n < kDisks; ++n) {
    ids.push_back(region.disks.create_disk(essd("pvc"), std::to_string(n), kPatient).value());
  }
  std::atomic<int> right{0};
  std::vector<std::thread> callers;
  for (const std::string& id : ids) {
    callers.emplace_back([&, id] {
      for (int n = 0; n < 10; ++n) {
        const auto found = region.disks.disks({id, "d-none"}, kPatient);
        if (found && found->size() == 1 && found->front().id == id) ++right;
      }
    });
  }
  for (std::thread& each : callers) each.join();
  CHECK(right == 10 * kDisks);
  CHECK(region.cloud.calls()["DescribeDisks"] <= 40);
}

// Callers, each of whom looks for a disk by a name of its own; how many found it, and nothing else.
int look_by_name(PatientCloud& region, int callers) {
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int n = 0; n < callers; ++n) {
    threads.emplace_back([&, n] {
      const std::string name = "pvc-" + std::to_string(n);
      const auto found = region.disks.disks_named(name, kPatient);
      const bool none = region.disks.disks_named("none-" + name, kPatient).value().empty();
      if (found && found->size() == 1 && found->front().name == name && none) ++right;
    });
  }
  for (std::thread& each : threads) each.join();
  return right;
}

TEST_CASE("disks that many look for by name at the same time are found by one page of all", "[disk]") {
  PatientCloud region;
  region.tell("quota", {{"disks", 1000}});
  constexpr int kNames = 32;
  const auto make = [&region](int from, int to) {
    for (int n = from; n < to; ++n) {
      const std::string number = std::to_string(n);
      REQUIRE(region.disks.create_disk(essd("pvc-" + number), number, kPatient));
    }
  };
  make(0, kNames);
  region.tell("latency", {{"milliseconds", 20}});
  CHECK(look_by_name(region, kNames) == kNames);
  CHECK(region.cloud.calls()["DescribeDisks"] <= kNames);
  region.tell("latency", {{"milliseconds", 0}});
  make(kNames, 150);
  region.tell("latency", {{"milliseconds", 20}});
  CHECK(look_by_name(region, kNames) == kNames);  // more than a page has: each by a call of its own
}

TEST_CASE_METHOD(PatientCloud, "a look that gets no answer does not keep others waiting", "[disk]") {
  const std::string id = disks.create_disk(essd("pvc"), "1", kPatient).value();
  cloud.add_fault({.action = "DescribeDisks", .how = Fault::How::kHang, .times = 1});
  std::atomic<bool> over{false};
  std::atomic<bool> answered{false};
  std::thread first([&] {
    answered = disks.disks({id}, std::chrono::seconds(8)).has_value();
    over = true;
  });
  while (cloud.calls()["DescribeDisks"] == 0) clock.sleep(milliseconds(1));
  CHECK(disks.disks({id}, kPatient));
  CHECK_FALSE(over);
  first.join();
  CHECK_FALSE(answered);
}

TEST_CASE("a cloud that wants to be left alone for long is asked again after a minute", "[disk]") {
  test::FakeClock later;
  CallGate other(later, 1);
  other.throttled(std::chrono::hours(1));
  later.advance(std::chrono::minutes(1));
  CHECK(other.pass(CallRank::kDetach, later.since_boot() + std::chrono::seconds(1)));
}

TEST_CASE("64 workers need few describes", "[disk]") {
  PatientCloud region(milliseconds(100));
  region.tell("latency", {{"milliseconds", 5}});
  constexpr int kWorkers = 64;
  constexpr int kCycles = 2;
  constexpr std::uint64_t kOperations = std::uint64_t{kWorkers} * kCycles * 4;
  std::atomic<int> failed{0};
  const auto settle = [&region](const std::string& id, DiskState wanted) {
    for (;;) {
      const auto found = region.disks.disks({id}, kPatient);
      if (!found || found->empty()) return false;
      if (found->front().state == wanted) return true;
      region.clock.sleep(milliseconds(50));
    }
  };
  std::vector<std::thread> workers;
  for (int worker = 0; worker < kWorkers; ++worker) {
    workers.emplace_back([&, worker] {
      for (int cycle = 0; cycle < kCycles; ++cycle) {
        const std::string token = std::to_string(worker) + "-" + std::to_string(cycle);
        const auto id = region.disks.create_disk(essd("pvc"), token, kPatient);
        const bool done = id && settle(*id, DiskState::kAvailable) &&
                          region.disks.attach_disk(*id, "i-1", kPatient) && settle(*id, DiskState::kInUse) &&
                          region.disks.detach_disk(*id, "i-1", kPatient) &&
                          settle(*id, DiskState::kAvailable) && region.disks.delete_disk(*id, kPatient);
        if (!done) ++failed;
      }
    });
  }
  for (std::thread& each : workers) each.join();
  CHECK(failed == 0);
  const std::uint64_t describes = region.cloud.calls()["DescribeDisks"];
  std::cout << describes << " describes for " << kOperations << " operations of " << kWorkers << " workers\n";
  CHECK(5 * describes <= kOperations);
}

}  // namespace
}  // namespace holdfast::disk
