#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <iostream>
#include <map>
#include <variant>
#include <vector>

#include "common/base/exec.h"
#include "common/base/fd.h"
#include "common/block/blank_proof.h"
#include "common/block/block_device.h"
#include "common/block/encryption.h"
#include "common/block/filesystem.h"
#include "common/block/preparer.h"
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

  static VolumeRequest request(const std::string& name, std::uint64_t bytes, bool block = false,
                               std::map<std::string, std::string> more = {}) {
    VolumeRequest wanted;
    wanted.name = name;
    more.emplace("vgName", test::kContractGroup);
    wanted.parameters = parse_parameters(more, block).value();
    wanted.required_bytes = bytes;
    wanted.block = block;
    return wanted;
  }
  std::string create(const VolumeRequest& wanted) {
    const auto made = volumes.create(wanted, kAmple);
    INFO((made ? "" : made.error().message));
    REQUIRE(made.has_value());
    REQUIRE(lvm.activate(made->name, kAmple).has_value());
    return "/dev/" + made->name.text();
  }
  std::string create(const std::string& name, std::uint64_t bytes, bool block = false) {
    return create(request(name, bytes, block));
  }
  void take(const std::string& name, const std::string& source) {
    const auto taken = volumes.snapshot(name, source, SnapshotRoom{}, kAmple);
    INFO((taken ? "" : taken.error().message));
    REQUIRE(taken.has_value());
  }
  void remove(const std::string& name) {
    const Status gone = volumes.remove(name, kAmple);
    INFO((gone ? "" : gone.error().message));
    REQUIRE(gone.has_value());
  }

  SystemClock clock;
  LvmQueue queue{std::make_unique<WorkerRunner>(test::lvmcmd_path())};
  CommandsLvm lvm{queue, test::guest_settings()};
  CapacityBook book{PoolLimits{}, {}};
  BlockCleaner cleaner{clock};
  BlockCopier copier{clock};
  LocalVolumes volumes{lvm, book, cleaner, copier, clock, "guest"};
};

std::string marked(std::size_t bytes) {
  std::string block;
  while (block.size() < bytes) block += kMarker;
  block.resize(bytes);
  return block;
}

// Marks a block of each MiB, as much as a small guest's memory has room for.
void sprinkle(const std::string& device, std::uint64_t bytes) {
  constexpr std::uint64_t kBetween = 300 << 10;
  const Fd fd(::open(device.c_str(), O_WRONLY | O_CLOEXEC));
  REQUIRE(fd.valid());
  const std::string block = marked(block::kAlignment);
  for (std::uint64_t at = kBetween; at < bytes; at += kMiB) {
    REQUIRE(::pwrite(fd.get(), block.data(), block.size(), static_cast<off_t>(at)) ==
            static_cast<ssize_t>(block.size()));
  }
  REQUIRE(::fsync(fd.get()) == 0);
}

void fill(const std::string& device, std::uint64_t bytes) {
  const Fd fd(::open(device.c_str(), O_WRONLY | O_CLOEXEC));
  REQUIRE(fd.valid());
  const std::string block = marked(kMiB);
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

TEST_CASE_METHOD(Node, "a raw volume that grows never shows what an earlier volume held where it grows to",
                 "[lvm volumes]") {
  constexpr std::uint64_t kSize = 16 * kMiB;
  for (const std::string type : {"linear", "striping"}) {
    DYNAMIC_SECTION(type) {
      VolumeRequest wanted = request("raw", kSize, true, {{"lvmType", type}});
      const std::string raw = create(wanted);
      fill(raw, kSize);
      const Fd used(::open(raw.c_str(), O_RDWR | O_CLOEXEC));  // its pod
      sprinkle(create(request("tenant", 2 * kSize, false, {{"lvmType", type}})), 2 * kSize);
      remove("tenant");
      REQUIRE(volumes.extend("raw", 2 * kSize, 0, kAmple).value() == 2 * kSize);
      std::string read(kSize, '\0');
      REQUIRE(::pread(used.get(), read.data(), kSize, 0) == static_cast<ssize_t>(kSize));
      CHECK((read.substr(0, kMiB) == marked(kMiB)));
      REQUIRE(::pread(used.get(), read.data(), kSize, static_cast<off_t>(kSize)) ==
              static_cast<ssize_t>(kSize));
      CHECK((read == std::string(kSize, '\0')));
    }
  }
  remove("raw");
}

TEST_CASE_METHOD(Node, "copies hold what their source held then, whatever becomes of it", "[lvm content]") {
  constexpr std::uint64_t kSize = 16 * kMiB;
  struct Case {
    const char* name;
    std::map<std::string, std::string> source;
    std::map<std::string, std::string> copy;
  };
  const std::map<std::string, std::string> pool{{"thinPool", "pool0"}, {"thinPoolSize", "100Mi"}};
  for (const Case& c : {Case{"thick to striped", {}, {{"lvmType", "striping"}}}, Case{"thin", pool, pool},
                        Case{"thick to thin", {}, pool}}) {
    DYNAMIC_SECTION(c.name) {
      const std::string source = create(request("source", kSize, true, c.source));
      fill(source, 8 * kMiB);
      take("snapshot-1", "source");
      VolumeRequest clone = request("clone", kSize + 4 * kMiB, true, c.copy);
      clone.source = ContentSource{.id = "source", .snapshot = false};
      VolumeRequest restored = request("restored", kSize, true, c.copy);
      restored.source = ContentSource{.id = "csi-snapshot-1", .snapshot = true};
      const std::string cloned = create(clone);
      sprinkle(source, kSize);
      const std::string old = create(restored);
      const std::string content = marked(kMiB);
      for (const std::string& device : {cloned, old}) {
        std::string read(kMiB, '\0');
        const Fd fd(::open(device.c_str(), O_RDONLY | O_CLOEXEC));
        REQUIRE(::pread(fd.get(), read.data(), kMiB, 7 * kMiB) == static_cast<ssize_t>(kMiB));
        CHECK((read == content));
        REQUIRE(::pread(fd.get(), read.data(), kMiB, 8 * kMiB) == static_cast<ssize_t>(kMiB));
        CHECK((read == std::string(kMiB, '\0')));
      }
      CHECK(volumes.list(kAmple)->size() == 4);
      REQUIRE(volumes.remove_snapshot("csi-snapshot-1", kAmple).has_value());
      for (const char* name : {"source", "clone", "restored"}) remove(name);
    }
  }
}

TEST_CASE_METHOD(Node, "a thick snapshot for which too much changes is told as lost, its volume as abnormal",
                 "[lvm content]") {
  const std::string source = create("source", 32 * kMiB);
  take("snap-1", "source");
  fill(source, 16 * kMiB);
  CHECK(volumes.find("snap-1", kAmple)->ailments.at(0).kind == Ailment::Kind::kDataLoss);
  CHECK(volumes.find("source", kAmple)->ailments.at(0).reason == "SnapshotLost");
  VolumeRequest restored = request("restored", 32 * kMiB);
  restored.source = ContentSource{.id = "snap-1", .snapshot = true};
  CHECK(volumes.create(restored, kAmple).error().code == Code::kFailedPrecondition);
  REQUIRE(volumes.remove_snapshot("snap-1", kAmple).has_value());
  CHECK(volumes.find("source", kAmple)->ailments.empty());
}

TEST_CASE_METHOD(Node, "a pool filled to its watermark takes nothing new, keeps what it has, and grows",
                 "[lvm content]") {
  const auto thin = [](const std::string& name) {
    return request(name, 60 * kMiB, true, {{"thinPool", "pool0"}, {"thinPoolSize", "64Mi"}});
  };
  const std::string first = create(thin("first"));
  const Capacity room = book.capacity(test::kContractGroup, 1, "").value();
  create("rest", room.largest_bytes);
  fill(first, 59 * kMiB);
  REQUIRE(volumes.tend(kAmple).has_value());
  CHECK(volumes.create(thin("second"), kAmple).error().code == Code::kResourceExhausted);
  CHECK(volumes.find("first", kAmple)->ailments.at(0).reason == "PoolNearlyFull");
  CHECK(shows_marker(first, 59 * kMiB));
  remove("rest");
  REQUIRE(volumes.tend(kAmple).has_value());
  CHECK(volumes.find("first", kAmple)->ailments.empty());
  create(thin("second"));
  remove("second");
}

// A tenant's file system, or none; all of them begin at the first extent of the group.
struct Tenant {
  std::string fs_type;
  std::uint64_t bytes = 0;
};

// What NodeStageVolume makes of a volume that was never staged.
struct Formatter {
  std::string format(const std::string& device, const std::string& fs_type) {
    block::PrepareRequest wanted;
    wanted.volume = "tenant";
    wanted.device = device;
    wanted.provenance = {.kind = block::Provenance::Kind::kNew, .uuid = {}};
    wanted.fs_type = fs_type;
    const auto prepared = preparer.prepare(wanted, record, kAmple, [] { return false; });
    INFO((prepared ? "" : prepared.error().message));
    REQUIRE(prepared.has_value());
    return *prepared;
  }

  struct Record final : block::ProvenanceRecord {
    Status write(const block::Provenance& provenance) override {
      last = provenance;
      return {};
    }
    block::Provenance last;
  };
  SystemExecutor executor;
  block::FileSystems file_systems{executor};
  block::LuksEncryption encryption{executor};
  block::Preparer preparer{file_systems, encryption};
  Record record;
};

TEST_CASE_METHOD(Node, "20 tenants in turn on the same extents, formatted or raw, find nothing of each other",
                 "[lvm tenants]") {
  constexpr int kRounds = 20;
  constexpr std::uint64_t kMarked = 32 * kMiB;
  // No xfs is smaller than 300 MiB.
  const std::vector<Tenant> tenants{
      {"ext4", kMarked}, {"", kMarked}, {"xfs", 304 * kMiB}, {"", kMarked}, {"", kMarked}};
  Formatter formatter;
  for (int round = 0; round < kRounds; ++round) {
    const Tenant& tenant = tenants[static_cast<std::size_t>(round) % tenants.size()];
    const bool raw = tenant.fs_type.empty();
    INFO("round " << round);
    if (round > 0 && raw && !tenants[static_cast<std::size_t>(round - 1) % tenants.size()].fs_type.empty()) {
      // Without the driver's wiping it is all there: these are the extents, and what follows can fail.
      REQUIRE(
          lvm.create({.name = {test::kContractGroup, "bare"}, .size_bytes = kMarked, .pool = {}, .tags = {}},
                     kAmple)
              .has_value());
      CHECK(shows_marker("/dev/" + std::string(test::kContractGroup) + "/bare", kMarked));
      REQUIRE(lvm.remove({test::kContractGroup, "bare"}, kAmple).has_value());
    }
    const std::string device = create("tenant", tenant.bytes, raw);
    {
      const auto opened = block::SystemBlockDevice::open(device, block::Access::kRead);
      CHECK(std::holds_alternative<block::Blank>(block::look_at(**opened).value()));
    }
    if (raw) {
      CHECK_FALSE(shows_marker(device, kMarked));
    } else {
      CHECK(formatter.format(device, tenant.fs_type) == tenant.fs_type);
      CHECK(formatter.record.last.kind == block::Provenance::Kind::kFormatted);
    }
    sprinkle(device, kMarked);
    remove("tenant");
  }
}

TEST_CASE_METHOD(Node, "a volume made through the worker costs less than one made by starting lvcreate",
                 "[lvm volumes]") {
  constexpr int kRounds = 9;
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
  // The least of each: a busy machine makes single rounds of either longer.
  const double least = *std::ranges::min_element(ours);
  const double least_started = *std::ranges::min_element(started);
  std::cout << "# CreateVolume " << least << " ms, lvcreate started " << least_started << " ms\n";
  CHECK(least < least_started);
}

}  // namespace
}  // namespace holdfast::lvm
