#include <sys/mount.h>
#include <sys/statfs.h>

#include "common/block/blank_proof.h"
#include "common/block/encryption.h"
#include "common/block/filesystem.h"
#include "common/block/grow.h"
#include "common/block/preparer.h"
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

/// A disk that is encrypted by the case, and closed behind it.
struct Vault {
  Vault() = default;
  ~Vault() { CHECK(encryption.close(mapping, Tools::kAmple)); }
  Vault(const Vault&) = delete;
  Vault& operator=(const Vault&) = delete;

  Status open(const std::string& passphrase) {
    return encryption.open(disk.path(), mapping, passphrase, Tools::kAmple);
  }

  LoopDevice disk{64 * kMiB};
  SystemExecutor executor;
  LuksEncryption encryption{executor};
  const std::string mapping = "luks-vg-pvc--1";
};

std::uint64_t size_of(const std::string& device) { return device_size_bytes(device).value(); }

TEST_CASE_METHOD(Vault, "An encrypted device opens by its passphrase alone, and costs it 4 MiB",
                 "[encryption]") {
  const std::string uuid = new_uuid();
  REQUIRE(encryption.format(disk.path(), uuid, "open sesame\n", Tools::kAmple));
  const auto device = SystemBlockDevice::open(disk.path(), Access::kRead).value();
  const Content seen = look_at(*device).value();
  REQUIRE(std::holds_alternative<Signature>(seen));
  CHECK(std::get<Signature>(seen).type == kEncryptedType);
  CHECK(std::get<Signature>(seen).uuid == uuid);
  CHECK(open("open sesame").error().code == Code::kPermissionDenied);
  for (int again = 0; again < 2; ++again) REQUIRE(open("open sesame\n"));
  CHECK(size_of(clear_path(mapping)) == 60 * kMiB);
  disk.grow_to(96 * kMiB);
  for (int again = 0; again < 2; ++again) REQUIRE(encryption.grow(mapping, Tools::kAmple));
  CHECK(size_of(clear_path(mapping)) == 92 * kMiB);
  const LoopDevice other(64 * kMiB);
  CHECK(encryption.open(other.path(), mapping, "open sesame\n", Tools::kAmple).error().code ==
        Code::kAlreadyExists);
  {
    const auto user = SystemBlockDevice::open(clear_path(mapping), Access::kExclusive).value();
    CHECK(encryption.close(mapping, std::chrono::seconds(10)).has_value() == false);
  }
  for (int again = 0; again < 2; ++again) CHECK(encryption.close(mapping, Tools::kAmple));
}

TEST_CASE_METHOD(Vault, "What was cut off while a device was opened does not keep it closed",
                 "[encryption]") {
  REQUIRE(encryption.format(disk.path(), new_uuid(), "open sesame", Tools::kAmple));
  // As libdevmapper leaves it between two of its calls.
  test::output_of("DM_DISABLE_UDEV=1 dmsetup create --notable --uuid CRYPT-LUKS2-0-" + mapping + " " +
                  mapping);
  REQUIRE(open("open sesame"));
  CHECK(size_of(clear_path(mapping)) == 60 * kMiB);
}

class Record final : public ProvenanceRecord {
 public:
  Status write(const Provenance& provenance) override {
    if (cut_at == written.size()) return fail(Code::kUnavailable, "cut off");
    written.push_back(provenance);
    return {};
  }
  std::vector<Provenance> written;
  std::size_t cut_at = 99;
};

TEST_CASE_METHOD(Vault, "An encrypted volume is made once, opened ever after, and never made anew",
                 "[encryption]") {
  const FreshMounts mounts;
  FileSystems file_systems{executor};
  Preparer preparer{file_systems, encryption};
  Record record;
  PrepareRequest wanted;
  wanted.volume = "pvc-1";
  wanted.device = disk.path();
  wanted.provenance = {Provenance::Kind::kNew, {}};
  wanted.mapping = mapping;
  wanted.passphrase = "open sesame";
  const auto prepare = [&] { return preparer.prepare(wanted, record, Tools::kAmple, [] { return false; }); };
  const auto goes_on = [&] {
    REQUIRE(encryption.close(mapping, Tools::kAmple));
    if (!record.written.empty()) wanted.provenance = record.written.back();
  };
  // Cut off before the second record: everything is done, and nobody knows.
  record.cut_at = 1;
  CHECK(prepare().error().code == Code::kUnavailable);
  record.cut_at = 99;
  wanted.provenance = record.written.back();  // and still open, as a kill leaves it
  CHECK(prepare().value() == "ext4");
  REQUIRE(record.written.back().kind == Provenance::Kind::kFormatted);

  const std::string path = FreshMounts::folder("m");
  REQUIRE(::mount(clear_path(mapping).c_str(), path.c_str(), "ext4", 0, nullptr) == 0);
  test::output_of("echo kept >" + path + "/file");
  REQUIRE(::umount(path.c_str()) == 0);
  goes_on();
  const std::size_t records = record.written.size();
  wanted.passphrase = "open barley";
  CHECK(prepare().error().code == Code::kPermissionDenied);
  wanted.passphrase = "open sesame";
  CHECK(prepare().value() == "ext4");
  CHECK(record.written.size() == records);
  REQUIRE(::mount(clear_path(mapping).c_str(), path.c_str(), "ext4", 0, nullptr) == 0);
  CHECK(test::output_of("cat " + path + "/file") == "kept\n");
  REQUIRE(::umount(path.c_str()) == 0);

  // What opens and holds no file system had one: it is not formatted within.
  test::output_of("dd if=/dev/zero of=" + clear_path(mapping) + " bs=1M count=60 conv=fsync 2>&1");
  goes_on();
  CHECK(prepare().error().code == Code::kFailedPrecondition);
  // Nor is what has lost its header.
  REQUIRE(encryption.close(mapping, Tools::kAmple));
  test::output_of("dd if=/dev/zero of=" + disk.path() + " bs=1M count=8 conv=fsync 2>&1");
  CHECK(prepare().error().code == Code::kFailedPrecondition);
  CHECK(record.written.size() == records);
}

}  // namespace
}  // namespace holdfast::block
