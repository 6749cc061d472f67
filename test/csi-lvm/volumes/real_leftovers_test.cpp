#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "common/base/exec.h"
#include "common/base/text.h"
#include "csi-lvm/lvm/commands_lvm.h"
#include "csi-lvm/lvm/mapped_devices.h"
#include "csi-lvm/lvm/worker_runner.h"
#include "csi-lvm/volumes/block_cleaner.h"
#include "csi-lvm/volumes/local_volumes.h"
#include "test/catch.h"
#include "test/csi-lvm/lvm/lvm_contract.h"
#include "test/csi-lvm/lvm/real_group.h"

// What a killed command of LVM's may leave in device-mapper, and what becomes of it; in the guest that
// test/kernel/guest/lvm.sh prepares.
namespace holdfast::lvm {
namespace {

constexpr Lvm::Patience kAmple{60000};
constexpr std::uint64_t kMiB = 1 << 20;

// A node with the volume "held".
struct Node {
  Node() {
    test::empty_group(lvm);
    VolumeRequest wanted;
    wanted.name = "held";
    wanted.parameters = parse_parameters({{"vgName", test::kContractGroup}}, false).value();
    wanted.required_bytes = 8 * kMiB;
    REQUIRE(volumes.create(wanted, kAmple).has_value());
  }
  std::string dmsetup(std::vector<std::string> words) {
    words.insert(words.begin(), find_system_program("dmsetup"));
    const auto run =
        executor.run({.argv = words, .environment = {}, .input = {}, .deadline = std::chrono::seconds(20)});
    REQUIRE(run.has_value());
    INFO(words[1] << ": " << run->errors);
    REQUIRE(run->succeeded());
    return run->output;
  }
  // "254:3"
  std::string number_of(const std::string& name) {
    const std::string told =
        dmsetup({"info", "-c", "--noheadings", "--separator", ":", "-o", "major,minor", name});
    return std::string(trim(told));
  }
  static bool there(const std::string& device) {
    const std::vector<MappedDevice> all = mapped_devices().value();
    return std::ranges::find(all, device, &MappedDevice::name) != all.end();
  }
  bool unsettled() { return lvm.look(kAmple)->group(test::kContractGroup)->volume("held")->unsettled; }
  // As device-mapper knows the group.
  std::string group_id() {
    std::string uuid = lvm.look(kAmple)->group(test::kContractGroup)->uuid;
    std::erase(uuid, '-');
    return uuid;
  }

  SystemClock clock;
  SystemExecutor executor;
  LvmQueue queue{std::make_unique<WorkerRunner>(test::lvmcmd_path())};
  CommandsLvm lvm{queue, test::guest_settings()};
  CapacityBook book{PoolLimits{}, {}};
  BlockCleaner cleaner{clock};
  BlockCopier copier{clock};
  LocalVolumes volumes{lvm, book, cleaner, copier, clock, "guest"};
  std::string device = std::string(test::kContractGroup) + "-held";
};

TEST_CASE_METHOD(Node, "a device that was left between two tables gets the one of the metadata",
                 "[lvm leftovers]") {
  const std::string before = dmsetup({"table", device});
  CHECK_FALSE(unsettled());
  dmsetup({"load", device, "--table", "0 16384 zero"});
  CHECK(unsettled());
  dmsetup({"suspend", device});
  CHECK(unsettled());
  REQUIRE(volumes.recover(kAmple).has_value());
  CHECK_FALSE(unsettled());
  CHECK(dmsetup({"table", device}) == before);
  CHECK(dmsetup({"info", "-c", "--noheadings", "-o", "suspended", device}).starts_with("Active"));
}

TEST_CASE_METHOD(Node, "a device that was left without a link in /dev gets it again", "[lvm leftovers]") {
  const std::filesystem::path link = "/dev/" + std::string(test::kContractGroup) + "/held";
  const std::filesystem::path node = "/dev/mapper/" + device;
  for (const auto& lost : {link, node}) {
    CHECK_FALSE(unsettled());
    REQUIRE(std::filesystem::remove(lost));
    CHECK(unsettled());
    REQUIRE(volumes.recover(kAmple).has_value());
    CHECK_FALSE(unsettled());
    CHECK(std::filesystem::is_block_file(link));
  }
}

// As it is when the command that activates the pool is killed.
TEST_CASE_METHOD(Node, "a pool of which a part is active is activated all the same", "[lvm leftovers]") {
  const VolumeName pool{test::kContractGroup, "cut"};
  REQUIRE(lvm.create_pool({.name = pool, .size_bytes = 16 * kMiB, .tags = {}}, kAmple).has_value());
  REQUIRE(lvm.deactivate(pool, kAmple).has_value());
  // Which of the pool's parts has which name LVM alone knows: one of these is its metadata's.
  const Inventory seen = lvm.look(kAmple).value();
  std::vector<std::string> left;
  for (std::string part : seen.group(pool.group)->parts) {
    std::erase(part, '-');
    left.push_back("left-" + part);
    dmsetup(
        {"create", left.back(), "--uuid", "LVM-" + group_id() + part + "-tmeta", "--table", "0 2048 zero"});
  }
  REQUIRE(lvm.activate(pool, kAmple).has_value());
  CHECK(lvm.look(kAmple)->group(pool.group)->volume("cut")->data_percent.has_value());
  CHECK(std::ranges::none_of(left, &Node::there));
}

TEST_CASE_METHOD(Node, "devices of volumes that are none are removed, unless they are in use",
                 "[lvm leftovers]") {
  const std::string gone = std::string(test::kContractGroup) + "-gone";
  const std::string uuid = "LVM-" + group_id() + std::string(32, 'x');
  dmsetup({"create", gone + "-cow", "--uuid", uuid + "-cow", "--table", "0 2048 zero"});
  dmsetup({"create", gone, "--uuid", uuid, "--table", "0 2048 linear " + number_of(gone + "-cow") + " 0"});
  dmsetup({"create", "users", "--table", "0 2048 linear " + number_of(gone) + " 0"});
  CHECK(volumes.recover(kAmple).has_value());
  CHECK(there(gone));
  CHECK(there(gone + "-cow"));
  dmsetup({"remove", "users"});
  CHECK(volumes.recover(kAmple).has_value());
  CHECK_FALSE(there(gone));
  CHECK_FALSE(there(gone + "-cow"));
}

// LVM, killed while it makes a snapshot; with the device in the way it makes no snapshot of that name.
TEST_CASE_METHOD(Node, "a device that was never given a table is removed too", "[lvm leftovers]") {
  const std::string cow = std::string(test::kContractGroup) + "-snap-cow";
  dmsetup({"create", cow, "--uuid", "LVM-" + group_id() + std::string(32, 'x') + "-cow", "--notable"});
  CHECK(there(cow));
  REQUIRE(volumes.recover(kAmple).has_value());
  CHECK_FALSE(there(cow));
  REQUIRE(volumes.snapshot("snap", "held", SnapshotRoom{}, kAmple).has_value());
  REQUIRE(volumes.remove_snapshot("snap", kAmple).has_value());
}

// LVM, killed after it told a pool to make a volume and before it noted that.
TEST_CASE_METHOD(Node, "a volume that only its pool knows of is made anew", "[lvm leftovers]") {
  const std::string pool = std::string(test::kContractGroup) + "-pool0-tpool";
  const auto make = [this](const std::string& name) {
    VolumeRequest wanted;
    wanted.name = name;
    wanted.parameters =
        parse_parameters({{"vgName", test::kContractGroup}, {"thinPool", "pool0"}, {"thinPoolSize", "32Mi"}},
                         false)
            .value();
    wanted.required_bytes = 8 * kMiB;
    return volumes.create(wanted, kAmple);
  };
  REQUIRE(make("first").has_value());
  for (const char* id : {"2", "3"}) dmsetup({"message", pool, "0", std::string("create_thin ") + id});
  REQUIRE(make("second").has_value());
  CHECK(lvm.look(kAmple)->group(test::kContractGroup)->volume("second")->active);
  REQUIRE(volumes.snapshot("snap", "first", SnapshotRoom{}, kAmple).has_value());
  REQUIRE(volumes.remove_snapshot("snap", kAmple).has_value());
}

TEST_CASE_METHOD(Node, "the devices of a snapshot are none that are left over", "[lvm leftovers]") {
  REQUIRE(volumes.snapshot("snap", "held", SnapshotRoom{}, kAmple).has_value());
  const Inventory now = lvm.look(kAmple).value();
  CHECK(there(device + "-real"));
  CHECK(strays(mapped_devices().value(), now).empty());
  REQUIRE(volumes.recover(kAmple).has_value());
  CHECK(there(device + "-real"));
  CHECK(there(std::string(test::kContractGroup) + "-snap-cow"));
  REQUIRE(volumes.remove_snapshot("snap", kAmple).has_value());
}

}  // namespace
}  // namespace holdfast::lvm
