#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

#include "common/block/blank_proof.h"
#include "test/block/fake_block_device.h"
#include "test/block/loop_device.h"
#include "test/catch.h"
#include "test/fakes/shell.h"
#include "test/fakes/temporary_folder.h"

// What real tools write, seen through a real block device.
namespace holdfast::block {
namespace {

using test::LoopDevice;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kDisk = 320 * kMiB;  // mkfs.xfs makes nothing below 300 MiB

Result<Content> look(const std::string& path) {
  HOLDFAST_TRY(const auto device, SystemBlockDevice::open(path, Access::kRead));
  return look_at(*device);
}

std::string on(const LoopDevice& disk, const std::string& script) {
  return test::output_of("D=" + disk.path() + "; " + script);
}

TEST_CASE("What real tools make is recognised, and never called blank", "[block]") {
  struct Case {
    const char* name;
    const char* make;
    const char* type;
  };
  const Case cases[] = {
      {"ext2", "mke2fs -q -t ext2 $D", "ext2"},
      {"ext3", "mke2fs -q -t ext3 $D", "ext3"},
      {"ext4", "mke2fs -q -t ext4 $D", "ext4"},
      {"ext4 whose superblock has a wrong checksum",
       "mke2fs -q -t ext4 $D; printf x | dd of=$D bs=1 seek=1150 conv=notrunc", "ext4"},
      {"xfs", "mkfs.xfs -q $D", "xfs"},
      {"btrfs", "mkfs.btrfs -q $D", "btrfs"},
      {"vfat", "mkfs.vfat $D", "vfat"},
      {"swap", "mkswap $D", "swap"},
      {"GPT", "echo 'label: gpt' | sfdisk -q --no-reread --no-tell-kernel $D", "gpt"},
      {"MBR", "echo 'label: dos' | sfdisk -q --no-reread --no-tell-kernel $D", "dos"},
      {"LUKS1", "printf k | cryptsetup luksFormat -q --type luks1 --pbkdf-force-iterations 1000 $D -",
       "crypto_LUKS"},
      {"LUKS2",
       "printf k | cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 $D -",
       "crypto_LUKS"},
      // The superblock of format 1.2: magic and version, and where it says that it stands, in sectors.
      {"md",
       "printf '\\374\\116\\053\\251\\001\\000\\000\\000' | dd of=$D bs=1 seek=4096 conv=notrunc; "
       "printf '\\010' | dd of=$D bs=1 seek=4240 conv=notrunc",
       "linux_raid_member"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const LoopDevice disk(kDisk);
      REQUIRE(look(disk.path()).value() == Content(Blank{}));
      on(disk, c.make);
      const Content seen = look(disk.path()).value();
      CAPTURE(describe(seen));
      REQUIRE(std::holds_alternative<Signature>(seen));
      CHECK(std::get<Signature>(seen).type == c.type);
    }
  }
}

TEST_CASE("A disk with sectors of 4 KiB is read, and what is on it is recognised", "[block]") {
  const LoopDevice disk(kDisk, 4096);
  CHECK(SystemBlockDevice::open(disk.path(), Access::kRead).value()->sector_bytes() == 4096);
  CHECK(look(disk.path()).value() == Content(Blank{}));
  // Its header stands in the second sector, so it is another place than on a disk with sectors of 512 bytes.
  on(disk, "echo 'label: gpt' | sfdisk -q --no-reread --no-tell-kernel $D");
  CHECK(std::get<Signature>(look(disk.path()).value()).type == "gpt");
  const auto device = SystemBlockDevice::open(disk.path(), Access::kExclusive).value();
  REQUIRE(device->zero(0, kMiB));
  CHECK(std::holds_alternative<HoldsData>(look(disk.path()).value()));
}

TEST_CASE("A physical volume of LVM is recognised", "[block]") {
  const LoopDevice disk(kDisk);
  const test::TemporaryFolder folder;
  on(disk, "export LVM_SYSTEM_DIR=" + folder.path().string() +
               R"(; cat >$LVM_SYSTEM_DIR/lvm.conf <<END
devices { use_devicesfile=0 hints="none" global_filter=["a|^$D$|","r|.*|"] scan="/dev" obtain_device_list_from_udev=0 }
global { locking_dir="$LVM_SYSTEM_DIR/lock" use_lvmpolld=0 }
activation { udev_sync=0 udev_rules=0 }
END
pvcreate --driverloaded n $D)");
  const Content seen = look(disk.path()).value();
  CAPTURE(describe(seen));
  CHECK(std::get<Signature>(seen).type == "LVM2_member");
}

TEST_CASE("What is left when the head was zeroed is found by its backups", "[block]") {
  struct Case {
    const char* name;
    const char* make;
    const char* left;
  };
  const Case cases[] = {
      {"ext4", "mke2fs -q -t ext4 -b 4096 $D", "a backup superblock of ext2/3/4"},
      {"ext4 with 1 KiB blocks", "mke2fs -q -t ext4 -b 1024 $D", "a backup superblock of ext2/3/4"},
      {"ext2 with 2 KiB blocks", "mke2fs -q -t ext2 -b 2048 $D", "a backup superblock of ext2/3/4"},
      {"xfs", "mkfs.xfs -q $D", "a secondary superblock of xfs"},
      {"btrfs", "mkfs.btrfs -q $D", "a copy of a btrfs superblock"},
      // libblkid wants the protective MBR too.
      {"GPT", "echo 'label: gpt' | sfdisk -q --no-reread --no-tell-kernel $D", "data of no known format"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const LoopDevice disk(kDisk);
      on(disk, std::string(c.make) + "; dd if=/dev/zero of=$D bs=1M count=4 conv=notrunc");
      const Content seen = look(disk.path()).value();
      CAPTURE(describe(seen));
      REQUIRE(std::holds_alternative<HoldsData>(seen));
      CHECK(std::get<HoldsData>(seen).what == c.left);
    }
  }
}

TEST_CASE("Noise is data, and so are two formats at once", "[block]") {
  const LoopDevice disk(kDisk);
  SECTION("noise") {
    on(disk, "seq 1 400000 | gzip -n | tail -c +64 | dd of=$D bs=1M iflag=fullblock conv=notrunc");
    CHECK(std::get<HoldsData>(look(disk.path()).value()).what == "data of no known format");
  }
  SECTION("two formats") {
    on(disk,
       "mke2fs -q -t ext4 $D; mkfs.xfs -q -f $D; mke2fs -q -t ext4 -F $D; printf XFSB | dd of=$D "
       "conv=notrunc");
    CHECK_FALSE(std::holds_alternative<Blank>(look(disk.path()).value()));
  }
}

TEST_CASE("What is written through the page cache is seen without waiting for it to be flushed", "[block]") {
  const LoopDevice disk(kDisk);
  const Fd writer(::open(disk.path().c_str(), O_WRONLY | O_CLOEXEC));
  REQUIRE(::pwrite(writer.get(), "x", 1, 0) == 1);
  CHECK(look(disk.path()).value() == Content(HoldsData{0, "data of no known format"}));
}

TEST_CASE("Only a block device that is there is opened", "[block]") {
  CHECK(SystemBlockDevice::open("/dev/does-not-exist", Access::kRead).error().code == Code::kNotFound);
  CHECK_FALSE(SystemBlockDevice::open("/dev/null", Access::kRead));
  const test::TemporaryFolder folder;
  test::output_of("truncate -s 1M " + (folder / "file").string());
  CHECK(SystemBlockDevice::open((folder / "file").string(), Access::kRead).error().code ==
        Code::kInvalidArgument);
  const LoopDevice disk(kDisk);
  const Fd holder(::open(disk.path().c_str(), O_RDONLY | O_EXCL | O_CLOEXEC));
  REQUIRE(holder.valid());
  CHECK(SystemBlockDevice::open(disk.path(), Access::kRead).has_value());
  CHECK(SystemBlockDevice::open(disk.path(), Access::kExclusive).error().sys_errno == EBUSY);
}

/// One device of 8 MiB that holds 'x' in its bytes from 4096 up to 3 * 4096.
void keeps_the_contract(BlockDevice& device) {
  const AlignedBuffer buffer(4 * kAlignment);
  const auto bytes = buffer.span();
  const std::byte x{'x'};
  CHECK(device.size_bytes() == 8 * kMiB);
  REQUIRE(device.read(0, bytes));
  CHECK(bytes[kAlignment - 1] == std::byte{0});
  CHECK(bytes[kAlignment] == x);
  CHECK(bytes[3 * kAlignment - 1] == x);
  CHECK(bytes[3 * kAlignment] == std::byte{0});

  REQUIRE(device.zero(kAlignment, kAlignment));
  REQUIRE(device.flush());
  REQUIRE(device.read(0, bytes));
  CHECK(bytes[kAlignment] == std::byte{0});
  CHECK(bytes[2 * kAlignment] == x);

  CHECK(device.read(8 * kMiB, bytes).error().code == Code::kOutOfRange);
  CHECK(device.read(8 * kMiB - kAlignment, bytes).error().code == Code::kOutOfRange);
  CHECK_FALSE(device.read(0, bytes.first(100)));
}

TEST_CASE("The real device and the tests' one keep one contract", "[block]") {
  const std::string some(2 * kAlignment, 'x');
  SECTION("real") {
    const LoopDevice disk(8 * kMiB);
    const Fd writer(::open(disk.path().c_str(), O_WRONLY | O_CLOEXEC));
    REQUIRE(::pwrite(writer.get(), some.data(), some.size(), kAlignment) == 2 * kAlignment);
    keeps_the_contract(*SystemBlockDevice::open(disk.path(), Access::kExclusive).value());
  }
  SECTION("fake") {
    test::FakeBlockDevice device(8 * kMiB);
    device.put(kAlignment, some);
    keeps_the_contract(device);
  }
}

}  // namespace
}  // namespace holdfast::block
