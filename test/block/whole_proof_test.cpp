#include "common/block/whole_proof.h"

#include <cerrno>

#include "test/block/fake_block_device.h"
#include "test/catch.h"

namespace holdfast::block {
namespace {

using test::FakeBlockDevice;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
const Content kZero = Blank{.throughout = true};

/// Of 10 MiB, of which a call may read some.
struct Reading {
  ZeroScan read(int pieces = 100) {
    reads = 0;
    const auto scan = proof.go_on(
        device, [this] { return life; }, [this, pieces] { return reads >= pieces; });
    REQUIRE(scan.has_value());
    return *scan;
  }

  Reading() {
    device.before_read = [this] { ++reads; };
  }
  FakeBlockDevice device{10 * kMiB};
  std::optional<DeviceLife> life = DeviceLife{.number = 7,
                                              .inode = 70,
                                              .sequence = 1,
                                              .source = "LVM-1",
                                              .size_bytes = 10 * kMiB,
                                              .written_bytes = 4096,
                                              .released_bytes = 0};
  int reads = 0;
  WholeProof proof;
};

TEST_CASE_METHOD(Reading, "A whole device is read in several calls, each byte once", "[block]") {
  CHECK(read(4).next == 4 * kMiB);
  CHECK(read(3).next == 7 * kMiB);
  CHECK(read().found == kZero);
  CHECK(reads == 3);
  // What was proven once is proven anew for the next who asks.
  CHECK(read().found == kZero);
  CHECK(reads == 10);
}

TEST_CASE_METHOD(Reading, "Whatever tells of another life of the device has it read from the start",
                 "[block]") {
  struct Case {
    const char* name;
    void (*changes)(DeviceLife& other);
  };
  const Case cases[] = {
      {"another number", [](DeviceLife& other) { other.number = 8; }},
      {"another device of that number", [](DeviceLife& other) { other.inode = 71; }},
      {"it went and came again", [](DeviceLife& other) { other.sequence = 2; }},
      {"another volume", [](DeviceLife& other) { other.source = "LVM-2"; }},
      {"another size", [](DeviceLife& other) { other.size_bytes = 12 * kMiB; }},
      {"it was written to", [](DeviceLife& other) { other.written_bytes += 512; }},
      {"something on it was discarded", [](DeviceLife& other) { other.released_bytes += 512; }},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      REQUIRE(read(4).next == 4 * kMiB);
      c.changes(*life);
      device.put(kMiB + 5, "x");
      CHECK(read().found == Content(HoldsData{kMiB + 5, "data of no known format"}));
    }
  }
}

TEST_CASE_METHOD(Reading, "A device that is written to while it is read is not proven", "[block]") {
  for (const int pieces : {4, 100}) {
    DYNAMIC_SECTION(pieces << " MiB") {
      device.before_read = [this] {
        if (++reads == 3) life->written_bytes += 512;
      };
      const ZeroScan scan = read(pieces);
      CHECK_FALSE(scan.found);
      CHECK(scan.next == 0);
      device.before_read = [this] { ++reads; };
      CHECK(read().found == kZero);
      CHECK(reads == 10);
    }
  }
}

TEST_CASE_METHOD(Reading, "Where nobody can tell who writes, only one call that reads all proves",
                 "[block]") {
  life.reset();
  const ZeroScan part = read(9);
  CHECK_FALSE(part.found);
  CHECK(part.next == 0);
  CHECK(read().found == kZero);
  CHECK(reads == 10);
}

TEST_CASE_METHOD(Reading, "A device that was found to hold something is read from the start again",
                 "[block]") {
  REQUIRE(read(4).next == 4 * kMiB);
  device.bad[6 * kMiB] = EIO;
  CHECK(read().found == Content(Unreadable{6 * kMiB, EIO}));
  device.bad.clear();
  CHECK(read().found == kZero);
  CHECK(reads == 10);
}

}  // namespace
}  // namespace holdfast::block
