#include <sys/mount.h>
#include <sys/statfs.h>

#include "common/block/blank_proof.h"
#include "common/block/filesystem.h"
#include "common/block/grow.h"
#include "common/block/proof_places.h"
#include "test/block/disk_tools.h"
#include "test/block/loop_device.h"
#include "test/catch.h"
#include "test/fakes/shell.h"
#include "test/mount/fresh_mounts.h"

// What needs more than a test machine's kernel and rights may have: device-mapper, vfat, and CAP_SYS_RESOURCE
// to grow ext4. Run in a guest.
namespace holdfast::block {
namespace {

using test::FreshMounts;
using test::kMiB;
using test::LoopDevice;
using test::mount_errno;
using test::total_bytes;
using Tools = test::DiskTools;

constexpr std::uint64_t kDisk = 160 * kMiB;

TEST_CASE("ext4 grows while it is mounted", "[block]") {
  Tools tools;
  const FreshMounts mounts;
  const FsType type = GENERATE(FsType::kExt4, FsType::kExt3);
  LoopDevice disk(64 * kMiB);
  const std::string path = FreshMounts::folder("m");
  REQUIRE(tools.make(disk, {.type = type, .uuid = new_uuid()}));
  REQUIRE(mount_errno(disk, path, "ext4") == 0);
  const std::uint64_t before = total_bytes(path);
  for (const std::uint64_t size : {128 * kMiB, 128 * kMiB + 8192, 200 * kMiB}) {
    disk.grow_to(size);
    CHECK(grow_file_system("ext4", path, disk.path(), size));
    CHECK(grow_file_system("ext4", path, disk.path(), size));
  }
  CHECK(total_bytes(path) > 2 * before);
}

TEST_CASE("vfat is made and mounted", "[block]") {
  Tools tools;
  const FreshMounts mounts;
  const LoopDevice disk(64 * kMiB);
  REQUIRE(tools.make(disk, {.type = FsType::kVfat, .uuid = new_uuid()}));
  CHECK(tools.file_systems.check(disk.path(), FsType::kVfat, Tools::kAmple).value() == CheckOutcome::kClean);
  CHECK(mount_errno(disk, FreshMounts::folder("m"), "vfat") == 0);
}

/// A disk of which 4 KiB at one place cannot be read.
class TornDisk {
 public:
  TornDisk(const LoopDevice& disk, std::uint64_t bad_offset) {
    const std::uint64_t bad = bad_offset / 512;
    const std::uint64_t end = kDisk / 512;
    std::string table = bad > 0 ? "0 " + std::to_string(bad) + " linear " + disk.path() + " 0\n" : "";
    table += std::to_string(bad) + " 8 error\n";
    if (bad + 8 < end) {
      table += std::to_string(bad + 8) + " " + std::to_string(end - bad - 8) + " linear " + disk.path() +
               " " + std::to_string(bad + 8) + "\n";
    }
    test::output_of("printf '" + table + "' | DM_DISABLE_UDEV=1 dmsetup create torn");
  }
  TornDisk(const TornDisk&) = delete;
  TornDisk& operator=(const TornDisk&) = delete;
  ~TornDisk() { test::output_of("DM_DISABLE_UDEV=1 dmsetup remove --retry torn"); }
};

TEST_CASE("A device with one bad sector in a place that tells is unreadable, never blank", "[block]") {
  const LoopDevice disk(kDisk);
  for (const std::uint64_t offset : {std::uint64_t{0}, 64 * kMiB, 128 * kMiB, kDisk - kAlignment}) {
    CAPTURE(offset);
    const TornDisk torn(disk, offset);
    const auto device = SystemBlockDevice::open("/dev/mapper/torn", Access::kRead).value();
    const Content seen = look_at(*device).value();
    CAPTURE(describe(seen));
    REQUIRE(std::holds_alternative<Unreadable>(seen));
    CHECK(std::get<Unreadable>(seen).sys_errno == EIO);
    CHECK(std::get<Unreadable>(seen).offset <= offset);
  }
}

TEST_CASE("A bad sector elsewhere stops the proof of the whole device", "[block]") {
  const LoopDevice disk(kDisk);
  const TornDisk torn(disk, 33 * kMiB);
  const auto device = SystemBlockDevice::open("/dev/mapper/torn", Access::kRead).value();
  CHECK(look_at(*device).value() == Content(Blank{}));
  CHECK(whole_device_is_zero(*device, 0, [] { return false; }).found == Content(Unreadable{33 * kMiB, EIO}));
}

TEST_CASE("A device that something stands on is in use", "[block]") {
  Tools tools;
  const LoopDevice disk(kDisk);
  const TornDisk torn(disk, 33 * kMiB);
  CHECK(tools.make(disk, {.type = FsType::kExt4, .uuid = new_uuid()}).error().code == Code::kUnavailable);
}

}  // namespace
}  // namespace holdfast::block
