#include <poll.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#include <algorithm>

#include "common/block/device_identity.h"
#include "common/block/uevents.h"
#include "common/block/volume_stats.h"
#include "test/block/loop_device.h"
#include "test/catch.h"
#include "test/fakes/shell.h"
#include "test/mount/fresh_mounts.h"

namespace holdfast::block {
namespace {

using test::FreshMounts;
using test::LoopDevice;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

std::string name_of(const LoopDevice& disk) { return disk.path().substr(std::string_view("/dev/").size()); }

TEST_CASE("A disk of this machine is found by its path, also by a link, and in the list", "[block]") {
  const LoopDevice disk(8 * kMiB);
  const DeviceDirectory directory;
  const DeviceIdentity identity = directory.identify(disk.path()).value();
  CHECK(identity.kernel_name == name_of(disk));
  CHECK(identity.size_bytes == 8 * kMiB);
  CHECK(major(identity.number) == 7);
  const auto disks = directory.list_disks().value();
  CHECK(std::ranges::count(disks, identity.kernel_name, &DeviceIdentity::kernel_name) == 1);

  const FreshMounts mounts;
  test::output_of("ln -s " + disk.path() + " /mnt/link");
  CHECK(directory.identify("/mnt/link")->kernel_name == identity.kernel_name);
  CHECK_FALSE(is_in_use(disk.path()).value());
  test::output_of("mke2fs -q -F -t ext4 " + disk.path());
  REQUIRE(::mount(disk.path().c_str(), FreshMounts::folder("m").c_str(), "ext4", 0, nullptr) == 0);
  CHECK(is_in_use(disk.path()).value());
  CHECK(is_in_use("/dev/none").error().code == Code::kNotFound);
}

/// All that the monitor hears until an event fits, or 5 s have passed. True when one did.
template <class F>
bool hears(UeventMonitor& monitor, F fits) {
  for (int tries = 0; tries < 50; ++tries) {
    pollfd watched{.fd = monitor.fd(), .events = POLLIN, .revents = 0};
    ::poll(&watched, 1, 100);
    const std::vector<Uevent> events = monitor.read().value();
    if (std::ranges::any_of(events, fits)) return true;
  }
  return false;
}

TEST_CASE("A disk that grows is told at once", "[block]") {
  LoopDevice disk(8 * kMiB);
  UeventMonitor monitor = UeventMonitor::open().value();
  CHECK(monitor.read());
  disk.grow_to(16 * kMiB);
  CHECK(hears(monitor, [&](const Uevent& event) {
    const auto* seen = std::get_if<DeviceEvent>(&event);
    return seen != nullptr && seen->kernel_name == name_of(disk) && seen->action == "change" &&
           seen->resized && seen->major == 7;
  }));
}

TEST_CASE("Events that were lost are told as a reason to look again", "[block]") {
  LoopDevice disk(kMiB);
  UeventMonitor monitor = UeventMonitor::open(1).value();
  for (std::uint64_t size = 2; size < 60; ++size) disk.grow_to(size * kMiB);
  CHECK(hears(monitor, [](const Uevent& event) { return std::holds_alternative<Rescan>(event); }));
  disk.grow_to(100 * kMiB);
  CHECK(hears(monitor, [](const Uevent& event) { return std::holds_alternative<DeviceEvent>(event); }));
}

TEST_CASE("Usage of a mounted volume and the size of a raw one are seen", "[block]") {
  const FreshMounts mounts;
  const LoopDevice disk(64 * kMiB);
  const std::string path = FreshMounts::folder("m");
  test::output_of("mke2fs -q -F -t ext4 " + disk.path());
  SystemVolumeProbe probe;
  CHECK(probe.look(disk.path())->usage.total_bytes == 64 * kMiB);
  CHECK(probe.look(path + "/none").error().code == Code::kNotFound);
  REQUIRE(::mount(disk.path().c_str(), path.c_str(), "ext4", 0, nullptr) == 0);
  const VolumeUsage before = probe.look(path)->usage;
  CHECK(before.total_bytes > 50 * kMiB);
  CHECK(before.total_bytes < 64 * kMiB);
  CHECK(before.total_inodes > 0);
  test::output_of("head -c 5242880 /dev/zero >" + path + "/file; sync -f " + path);
  const VolumeUsage after = probe.look(path)->usage;
  CHECK(after.used_bytes >= before.used_bytes + 5 * kMiB);
  CHECK(after.available_bytes <= before.available_bytes - 5 * kMiB);
  CHECK(after.used_inodes == before.used_inodes + 1);
  CHECK(after.available_inodes == before.available_inodes - 1);
  CHECK(probe.look(path)->io_errors == 0);
}

TEST_CASE("Damage that ext4 has counted is seen", "[block]") {
  const FreshMounts mounts;
  const LoopDevice disk(64 * kMiB);
  const std::string path = FreshMounts::folder("m");
  // A folder whose block is nowhere: looking at it is an error.
  test::output_of("D=" + disk.path() +
                  "; mke2fs -q -F -t ext2 $D && debugfs -w -R 'mkdir lost' $D && "
                  "debugfs -w -R 'set_inode_field lost block[0] 99999999' $D");
  REQUIRE(::mount(disk.path().c_str(), path.c_str(), "ext4", 0, "errors=continue") == 0);
  CHECK_THROWS(test::output_of("ls " + path + "/lost"));
  CHECK(SystemVolumeProbe().look(path)->io_errors > 0);
}

}  // namespace
}  // namespace holdfast::block
