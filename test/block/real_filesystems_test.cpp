#include <fcntl.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>

#include "common/block/blank_proof.h"
#include "common/block/filesystem.h"
#include "common/block/grow.h"
#include "common/block/wipe.h"
#include "test/block/disk_tools.h"
#include "test/block/loop_device.h"
#include "test/catch.h"
#include "test/fakes/shell.h"
#include "test/mount/fresh_mounts.h"

// mkfs, fsck, growing and wiping on real disks.
namespace holdfast::block {
namespace {

using test::FreshMounts;
using test::kMiB;
using test::LoopDevice;
using test::mount_errno;
using test::total_bytes;
using Tools = test::DiskTools;

constexpr std::uint64_t kDisk = 320 * kMiB;

Content content_of(const LoopDevice& disk) {
  return look_at(*SystemBlockDevice::open(disk.path(), Access::kRead).value()).value();
}

std::string on(const LoopDevice& disk, const std::string& script) {
  return test::output_of("D=" + disk.path() + "; " + script);
}

TEST_CASE("A file system is made with the uuid that was chosen, also for old kernels, also over a torn one",
          "[block]") {
  Tools tools;
  const LoopDevice disk(kDisk);
  for (const FsType type : {FsType::kExt3, FsType::kExt4, FsType::kXfs, FsType::kVfat}) {
    for (const bool legacy : {false, true}) {
      CAPTURE(to_string(type), legacy);
      const FileSystemSpec spec{.type = type, .uuid = new_uuid(), .options = {}, .legacy = legacy};
      REQUIRE(tools.make(disk, spec));
      CHECK(content_of(disk) ==
            Content(Signature{std::string(to_string(type)), uuid_as_found(type, spec.uuid)}));
    }
  }
}

TEST_CASE("What is made can be mounted, with options of the user's", "[block]") {
  Tools tools;
  const FreshMounts mounts;
  const LoopDevice disk(kDisk);
  const std::string path = FreshMounts::folder("m");
  REQUIRE(tools.make(disk, {.type = FsType::kExt4,
                            .uuid = new_uuid(),
                            .options = split_words("-b 1024 -m 0 -E stride=4 -O ^huge_file")}));
  CHECK(mount_errno(disk, path, "ext4") == 0);
  CHECK(tools.make(disk, {.type = FsType::kExt4, .uuid = new_uuid()}).error().code == Code::kUnavailable);
  REQUIRE(::umount(path.c_str()) == 0);
  REQUIRE(tools.make(
      disk, {.type = FsType::kXfs, .uuid = new_uuid(), .options = split_words("-i size=1024 -m reflink=0")}));
  CHECK(mount_errno(disk, path, "xfs") == 0);
}

TEST_CASE("mkfs is refused before it writes", "[block]") {
  Tools tools;
  const LoopDevice small(100 * kMiB);
  CHECK(tools.make(small, {.type = FsType::kXfs, .uuid = new_uuid()}).error().code == Code::kOutOfRange);
  CHECK(tools.make(small, {.type = FsType::kExt4, .uuid = new_uuid(), .options = {"-F"}}).error().code ==
        Code::kInvalidArgument);
  CHECK(tools.file_systems.make("-F", {.uuid = new_uuid()}, Tools::kAmple).error().code ==
        Code::kInvalidArgument);
  CHECK(tools.file_systems.make("/dev/none", {.uuid = new_uuid()}, Tools::kAmple).error().code ==
        Code::kNotFound);
  CHECK(tools.file_systems.make("/etc/hostname", {.uuid = new_uuid()}, Tools::kAmple).error().code ==
        Code::kInvalidArgument);
  CHECK(content_of(small) == Content(Blank{}));
}

TEST_CASE("mkfs that fails says what it said", "[block]") {
  Tools tools;
  const LoopDevice disk(kDisk);
  const Status made = tools.make(disk, {.type = FsType::kExt4, .uuid = "no-uuid"});
  CHECK(made.error().code == Code::kInternal);
  CHECK(made.error().message.find("UUID") != std::string::npos);
  const Status too_many =
      tools.make(disk, {.type = FsType::kExt4, .uuid = new_uuid(), .options = split_words("-N 99999999")});
  CHECK(too_many.error().code == Code::kInvalidArgument);
  CHECK(too_many.error().message.ends_with("; mkfsOptions were '-N 99999999'"));
  const Status wrong =
      tools.make(disk, {.type = FsType::kXfs, .uuid = new_uuid(), .options = split_words("-l agnum=99")});
  CHECK(wrong.error().code == Code::kInvalidArgument);
  CHECK(wrong.error().message.find("Usage") == std::string::npos);
}

TEST_CASE("A check tells a clean file system from a mended one and from one that is beyond it", "[block]") {
  Tools tools;
  const LoopDevice disk(64 * kMiB);
  const auto check = [&](FsType type) { return tools.file_systems.check(disk.path(), type, Tools::kAmple); };
  REQUIRE(tools.make(disk, {.type = FsType::kExt4, .uuid = new_uuid()}));
  CHECK(check(FsType::kExt4).value() == CheckOutcome::kClean);
  on(disk,
     "debugfs -w -R 'set_super_value free_blocks_count 7' $D; debugfs -w -R 'set_super_value state 2' $D");
  CHECK(check(FsType::kExt4).value() == CheckOutcome::kMended);
  CHECK(check(FsType::kExt4).value() == CheckOutcome::kClean);
  on(disk, "debugfs -w -R 'clri <2>' $D; debugfs -w -R 'set_super_value state 2' $D");
  const auto lost = check(FsType::kExt4);
  REQUIRE_FALSE(lost);
  CHECK(lost.error().code == Code::kFailedPrecondition);
  CHECK(lost.error().message.find("e2fsck") != std::string::npos);
  CHECK(check(FsType::kXfs).value() == CheckOutcome::kNotChecked);
}

/// Runs nothing, and counts what it was asked to run.
struct NoExecutor final : Executor {
  Result<CommandResult> run(const Command&) override {
    ++asked;
    return CommandResult{};
  }
  int asked = 0;
};

TEST_CASE("e2fsck is run only when the superblock does not say that all is well", "[block]") {
  Tools tools;
  const FreshMounts mounts;
  const LoopDevice disk(64 * kMiB);
  const auto is_run = [&] {
    NoExecutor none;
    REQUIRE(FileSystems(none).check(disk.path(), FsType::kExt4, Tools::kAmple));
    return none.asked > 0;
  };
  const FsType type = GENERATE(FsType::kExt4, FsType::kExt3);
  REQUIRE(tools.make(disk, {.type = type, .uuid = new_uuid()}));
  CHECK_FALSE(is_run());
  const std::string path = FreshMounts::folder("m");
  REQUIRE(mount_errno(disk, path, "ext4") == 0);
  LoopDevice crashed(64 * kMiB);
  crashed.copy_from(disk);
  REQUIRE(::umount(path.c_str()) == 0);
  CHECK_FALSE(is_run());

  NoExecutor none;
  REQUIRE(FileSystems(none).check(crashed.path(), FsType::kExt4, Tools::kAmple));
  CHECK(none.asked == 1);
  for (const char* change :
       {"set_super_value state 3", "set_super_value error_count 1", "set_super_value state 0",
        "set_super_value last_orphan 12", "set_super_value checkinterval 60"}) {
    CAPTURE(change);
    REQUIRE(tools.make(disk, {.type = type, .uuid = new_uuid()}));
    on(disk, std::string("debugfs -w -R '") + change + "' $D");
    CHECK(is_run());
  }
  REQUIRE(tools.make(disk, {.type = type, .uuid = new_uuid()}));
  on(disk, "tune2fs -c 3 -C 3 $D");
  CHECK(is_run());
  on(disk, "tune2fs -C 2 $D");
  CHECK_FALSE(is_run());
  if (type == FsType::kExt4) {
    on(disk, "printf x | dd of=$D bs=1 seek=1150 conv=notrunc");  // its checksum is wrong now
    CHECK(is_run());
  }
}

TEST_CASE("xfs grows while it is mounted, and only after its device has grown", "[block]") {
  Tools tools;
  const FreshMounts mounts;
  LoopDevice disk(kDisk);
  const std::string path = FreshMounts::folder("m");
  REQUIRE(tools.make(disk, {.type = FsType::kXfs, .uuid = new_uuid()}));
  REQUIRE(mount_errno(disk, path, "xfs") == 0);
  const std::uint64_t before = total_bytes(path);

  CHECK(grow_file_system("xfs", path, disk.path(), kDisk));
  CHECK(grow_file_system("xfs", path, disk.path(), 2 * kDisk).error().code == Code::kUnavailable);
  CHECK(total_bytes(path) == before);

  for (const std::uint64_t size : {2 * kDisk, 2 * kDisk + 4096, 3 * kDisk}) {
    CAPTURE(size);
    disk.grow_to(size);
    CHECK(grow_file_system("xfs", path, disk.path(), size));
    CHECK(grow_file_system("xfs", path, disk.path(), size));
  }
  CHECK(total_bytes(path) > before + 3 * kDisk / 2);
  CHECK(device_size_bytes(disk.path()).value() == 3 * kDisk);
}

TEST_CASE("ext4 that fills its device needs no right to grow, and vfat cannot", "[block]") {
  Tools tools;
  const FreshMounts mounts;
  const LoopDevice disk(kDisk);
  const std::string path = FreshMounts::folder("m");
  REQUIRE(tools.make(disk, {.type = FsType::kExt4, .uuid = new_uuid()}));
  REQUIRE(mount_errno(disk, path, "ext4") == 0);
  CHECK(grow_file_system("ext4", path, disk.path(), kDisk));
  CHECK(grow_file_system("vfat", path, disk.path(), kDisk).error().code == Code::kUnimplemented);
  CHECK(grow_file_system("ext4", path + "/none", disk.path(), kDisk).error().code == Code::kNotFound);
}

TEST_CASE("A clone of an xfs is mounted beside its source after it got another uuid", "[block]") {
  Tools tools;
  const FreshMounts mounts;
  const LoopDevice source(kDisk);
  LoopDevice clone(kDisk);
  const std::string there = FreshMounts::folder("source");
  const std::string here = FreshMounts::folder("clone");
  REQUIRE(tools.make(source, {.type = FsType::kXfs, .uuid = new_uuid()}));
  REQUIRE(mount_errno(source, there, "xfs") == 0);
  test::output_of("echo kept >" + there + "/file; sync -f " + there + "/file");
  clone.copy_from(source);  // while it is in use
  CHECK(mount_errno(clone, here, "xfs") != 0);
  CHECK(tools.file_systems.change_xfs_uuid(clone.path(), new_uuid(), Tools::kAmple).error().code ==
        Code::kFailedPrecondition);
  CHECK(mount_errno(clone, here, "xfs", "nouuid") == 0);
  CHECK(tools.file_systems.change_xfs_uuid(clone.path(), new_uuid(), Tools::kAmple).error().code ==
        Code::kUnavailable);
  REQUIRE(::umount(here.c_str()) == 0);

  const std::string uuid = new_uuid();
  REQUIRE(tools.file_systems.change_xfs_uuid(clone.path(), uuid, Tools::kAmple));
  CHECK(content_of(clone) == Content(Signature{"xfs", uuid}));
  CHECK(mount_errno(clone, here, "xfs") == 0);
  CHECK(test::output_of("cat " + here + "/file") == "kept\n");
}

TEST_CASE("A new volume on re-used extents is blank, and no earlier one can be opened", "[block]") {
  Tools tools;
  const LoopDevice disk(kDisk);
  for (const FsType type : {FsType::kExt4, FsType::kXfs, FsType::kExt3}) {
    CAPTURE(to_string(type));
    REQUIRE(tools.make(disk, {.type = type, .uuid = new_uuid()}));
    {
      const auto device = SystemBlockDevice::open(disk.path(), Access::kExclusive).value();
      REQUIRE(zero_places(*device));
      CHECK(look_at(*device).value() == Content(Blank{}));
    }
    const std::string found = on(disk, "e2fsck -n -b 32768 $D; e2fsck -n -b 8193 $D; true");
    CAPTURE(found);
    CHECK(found.find("Pass 1") == std::string::npos);
  }
}

TEST_CASE("After a wipe no byte of an earlier tenant can be read", "[block]") {
  const LoopDevice disk(160 * kMiB + 4096);
  {
    const Fd writer(::open(disk.path().c_str(), O_WRONLY | O_CLOEXEC));
    for (std::uint64_t offset = 0; offset < 161 * kMiB; offset += kMiB / 2) {
      REQUIRE(::pwrite(writer.get(), "tenant", 6, static_cast<off_t>(std::min(offset, 160 * kMiB))) == 6);
    }
  }
  const auto device = SystemBlockDevice::open(disk.path(), Access::kExclusive).value();
  WipeProgress progress = wipe_whole(*device, 0, [] { return true; }).value();
  CHECK_FALSE(progress.done);
  CHECK_FALSE(*whole_device_is_zero(*device, 0, [] { return false; }).found == Content(Blank{true}));
  while (!progress.done) progress = wipe_whole(*device, progress.next, [] { return true; }).value();
  CHECK(*whole_device_is_zero(*device, 0, [] { return false; }).found == Content(Blank{true}));
}

}  // namespace
}  // namespace holdfast::block
