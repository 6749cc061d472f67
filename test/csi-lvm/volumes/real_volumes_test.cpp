#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <iostream>
#include <vector>

#include "common/base/exec.h"
#include "common/base/fd.h"
#include "csi-lvm/lvm/commands_lvm.h"
#include "csi-lvm/lvm/worker_runner.h"
#include "csi-lvm/volumes/block_cleaner.h"
#include "csi-lvm/volumes/local_volumes.h"
#include "test/catch.h"
#include "test/csi-lvm/lvm/lvm_contract.h"
#include "test/csi-lvm/lvm/real_group.h"

// Volumes on LVM itself, in the guest that test/kernel/guest/lvm.sh prepares.
namespace holdfast::lvm {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr Lvm::Patience kAmple{60000};
constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::string_view kMarker = "the earlier tenant's secret";

struct Node {
  Node() { test::empty_group(lvm); }

  static VolumeRequest request(const std::string& name, std::uint64_t bytes, bool block = false) {
    VolumeRequest wanted;
    wanted.name = name;
    wanted.parameters = parse_parameters({{"vgName", test::kContractGroup}}, block).value();
    wanted.required_bytes = bytes;
    wanted.block = block;
    return wanted;
  }
  std::string create(const std::string& name, std::uint64_t bytes, bool block = false) {
    const auto made = volumes.create(request(name, bytes, block), kAmple);
    INFO((made ? "" : made.error().message));
    REQUIRE(made.has_value());
    return "/dev/" + made->name.text();
  }

  SystemClock clock;
  LvmQueue queue{std::make_unique<WorkerRunner>(test::lvmcmd_path())};
  CommandsLvm lvm{queue, test::guest_settings()};
  CapacityBook book{PoolLimits{}, {}};
  BlockCleaner cleaner{clock};
  LocalVolumes volumes{lvm, book, cleaner, clock, "guest"};
};

void fill(const std::string& device, std::uint64_t bytes) {
  const Fd fd(::open(device.c_str(), O_WRONLY | O_CLOEXEC));
  REQUIRE(fd.valid());
  std::string block;
  while (block.size() < kMiB) block += kMarker;
  block.resize(kMiB);
  for (std::uint64_t at = 0; at < bytes; at += kMiB) {
    REQUIRE(::pwrite(fd.get(), block.data(), block.size(), static_cast<off_t>(at)) ==
            static_cast<ssize_t>(kMiB));
  }
  REQUIRE(::fsync(fd.get()) == 0);
}

bool shows_marker(const std::string& device, std::uint64_t bytes) {
  const Fd fd(::open(device.c_str(), O_RDONLY | O_CLOEXEC));
  REQUIRE(fd.valid());
  std::string block(kMiB, '\0');
  for (std::uint64_t at = 0; at < bytes; at += kMiB) {
    REQUIRE(::pread(fd.get(), block.data(), block.size(), static_cast<off_t>(at)) ==
            static_cast<ssize_t>(kMiB));
    if (block.find(kMarker) != std::string::npos) return true;
  }
  return false;
}

TEST_CASE_METHOD(Node, "64 volumes asked for at once are all made, at the first call, and all gone again",
                 "[lvm volumes]") {
  constexpr int kVolumes = 64;
  const auto all = [](auto work) {
    std::vector<std::future<Status>> calls;
    for (int i = 0; i < kVolumes; ++i) {
      calls.push_back(std::async(std::launch::async, work, "pvc-" + std::to_string(i)));
    }
    for (auto& each : calls) {
      const Status done = each.get();
      INFO((done ? "" : done.error().message));
      CHECK(done.has_value());
    }
  };
  const auto begin = SteadyClock::now();
  all([this](const std::string& name) -> Status {
    HOLDFAST_CHECK(volumes.create(request(name, 4 * kMiB), kAmple));
    return {};
  });
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - begin);
  std::cout << "# 64 volumes made in " << took.count() << " ms\n";
  CHECK(volumes.list(kAmple)->size() == kVolumes);
  all([this](const std::string& name) { return volumes.remove(name, kAmple); });
  CHECK(lvm.look(kAmple)->group(test::kContractGroup)->volumes.empty());
}

TEST_CASE_METHOD(Node, "a raw volume never shows what an earlier volume held on the same extents",
                 "[lvm volumes]") {
  constexpr std::uint64_t kSize = 16 * kMiB;
  for (int round = 0; round < 2; ++round) {
    fill(create("tenant", kSize), kSize);
    REQUIRE(volumes.remove("tenant", kAmple).has_value());
    const std::string raw = create("raw", kSize, true);
    CHECK_FALSE(shows_marker(raw, kSize));
    fill(raw, kSize);
    REQUIRE(volumes.remove("raw", kAmple).has_value());
    const std::string next = create("next", kSize);
    CHECK_FALSE(shows_marker(next, kSize));
    REQUIRE(volumes.remove("next", kAmple).has_value());
  }
}

TEST_CASE_METHOD(Node, "a volume made through the worker costs less than one made by starting lvcreate",
                 "[lvm volumes]") {
  constexpr int kRounds = 5;
  SystemExecutor executor;
  std::vector<double> ours;
  std::vector<double> started;
  const auto timed = [](std::vector<double>& into, auto work) {
    const auto begin = SteadyClock::now();
    work();
    into.push_back(std::chrono::duration<double, std::milli>(SteadyClock::now() - begin).count());
  };
  for (int i = 0; i < kRounds; ++i) {
    timed(ours, [this] { create("ours", 4 * kMiB); });
    timed(started, [&executor] {
      Command lvcreate;
      lvcreate.argv = {find_system_program("lvcreate"),
                       "--config",
                       settings_text(test::guest_settings()),
                       "--devicesfile",
                       "holdfast.devices",
                       "--yes",
                       "--wipesignatures",
                       "y",
                       "--zero",
                       "y",
                       "--name",
                       "theirs",
                       "--size",
                       "4m",
                       test::kContractGroup};
      lvcreate.environment = {"LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
      lvcreate.deadline = kAmple;
      REQUIRE(executor.run(lvcreate).value().succeeded());
    });
    for (const char* name : {"ours", "theirs"}) REQUIRE(volumes.remove(name, kAmple).has_value());
  }
  std::ranges::sort(ours);
  std::ranges::sort(started);
  std::cout << "# CreateVolume " << ours[kRounds / 2] << " ms, lvcreate started " << started[kRounds / 2]
            << " ms\n";
  CHECK(ours[kRounds / 2] < started[kRounds / 2]);
}

}  // namespace
}  // namespace holdfast::lvm
