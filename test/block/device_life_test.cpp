#include "common/block/device_life.h"

#include <sys/sysmacros.h>

#include "test/block/fake_machine.h"
#include "test/catch.h"

namespace holdfast::block {
namespace {

using test::FakeMachine;

// Seventeen counts, as Linux 6.1 writes them: 24 sectors written, 40 discarded.
constexpr const char* kCounts = "  10 0 80 1   3 0 24 2   0 5 6   1 0 40 3   0 0\n";

struct Machine : FakeMachine {
  Machine() {
    put_device("vdb", "252:16", "2048");
    put("sys/devices/vdb/queue/iostats", "1\n");
    put("sys/devices/vdb/stat", kCounts);
    put("sys/devices/vdb/diskseq", "9\n");
  }
  [[nodiscard]] std::optional<DeviceLife> life(unsigned minor_number = 16) const {
    return life_of(makedev(252, minor_number), folder / "sys");
  }
};

TEST_CASE_METHOD(Machine, "The life of a disk is what the kernel counts of it", "[block]") {
  const auto seen = life();
  REQUIRE(seen);
  CHECK(seen->number == makedev(252, 16));
  CHECK(seen->inode != 0);
  CHECK(seen->sequence == 9);
  CHECK(seen->source.empty());
  CHECK(seen->size_bytes == 2048 * 512);
  CHECK(seen->written_bytes == 24 * 512);
  CHECK(seen->released_bytes == 40 * 512);
  CHECK(life() == seen);
}

TEST_CASE_METHOD(Machine, "A disk that came again is another, also where it has no sequence number",
                 "[block]") {
  const auto seen = life();
  REQUIRE(seen);
  std::filesystem::rename(folder / "sys/devices/vdb", folder / "kept");
  std::filesystem::copy(folder / "kept", folder / "sys/devices/vdb",
                        std::filesystem::copy_options::recursive);
  CHECK(life() != seen);
}

TEST_CASE_METHOD(Machine, "A volume has the uuid of its mapping, and a loop device its file", "[block]") {
  put("sys/devices/vdb/dm/uuid", "LVM-abc\n");
  CHECK(life()->source == "LVM-abc");
  std::filesystem::remove(folder / "sys/devices/vdb/dm/uuid");
  put("sys/devices/vdb/loop/backing_file", "/var/disk.img\n");
  CHECK(life()->source == "/var/disk.img");
}

TEST_CASE_METHOD(Machine, "A partition counts by itself, and came with its disk", "[block]") {
  put_device("vdb/vdb1", "252:17", "1024");
  put("sys/devices/vdb/vdb1/partition", "1\n");
  put("sys/devices/vdb/vdb1/stat", "1 0 8 1 1 0 8 1 0 1 1 0 0 0 0 0 0\n");
  const auto seen = life(17);
  REQUIRE(seen);
  CHECK(seen->sequence == 9);
  CHECK(seen->size_bytes == 1024 * 512);
  CHECK(seen->written_bytes == 8 * 512);
}

TEST_CASE_METHOD(Machine, "What nobody counts is not known", "[block]") {
  CHECK_FALSE(life(99));
  put("sys/devices/vdb/queue/iostats", "0\n");
  CHECK_FALSE(life());
  put("sys/devices/vdb/queue/iostats", "1\n");
  CHECK(life());
  put("sys/devices/vdb/stat", "10 0 80 1 3 0 24 2 0 5 6\n");  // before 4.18
  CHECK_FALSE(life());
}

}  // namespace
}  // namespace holdfast::block
