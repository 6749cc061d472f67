#include "common/block/blank_proof.h"

#include <algorithm>
#include <cerrno>

#include "common/block/proof_places.h"
#include "test/block/fake_block_device.h"
#include "test/catch.h"

namespace holdfast::block {
namespace {

using test::FakeBlockDevice;

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;
constexpr std::uint64_t kGiB = 1024 * kMiB;
constexpr std::uint64_t kTiB = 1024 * kGiB;

bool covers(const std::vector<Extent>& places, std::uint64_t offset) {
  return std::ranges::any_of(places, [&](const Extent& p) { return offset >= p.offset && offset < p.end(); });
}

Content content_of(FakeBlockDevice& device) { return look_at(device).value(); }

bool never() { return false; }

TEST_CASE("The places of the proof are sorted, apart, aligned, and on the device", "[block]") {
  for (const std::uint64_t size : {512 * kKiB, 1 * kMiB, 1 * kMiB + 512, 2 * kMiB + 1536, 50 * kMiB,
                                   10 * kGiB, 10 * kGiB - 512, 5 * kTiB}) {
    CAPTURE(size);
    const std::vector<Extent> places = proof_places(size);
    REQUIRE_FALSE(places.empty());
    CHECK(places.front().offset == 0);
    CHECK(places.back().end() == size);
    std::uint64_t end = 0;
    for (const Extent& place : places) {
      CHECK(place.length > 0);
      CHECK(place.offset % kAlignment == 0);
      CHECK((place.offset == 0 || place.offset > end));
      end = place.end();
    }
    CHECK(covers(places, std::min(size, kMiB) - 1));
    CHECK(covers(places, size - std::min(size, kMiB)));
    CHECK(places.size() < 300);
  }
  CHECK(proof_places(0).empty());
}

TEST_CASE("The places of the proof hold every backup that a default mkfs makes", "[block]") {
  struct Case {
    const char* name;
    std::uint64_t size;
    std::uint64_t offset;
  };
  // Offsets as dumpe2fs and xfs_db tell them.
  const Case cases[] = {
      {"ext, 1 KiB blocks, group 1", 50 * kMiB, 8193 * kKiB},
      {"ext, 1 KiB blocks, group 5", 50 * kMiB, 40961 * kKiB},
      {"ext, 2 KiB blocks, group 3", 200 * kMiB, 49152 * 2 * kKiB},
      {"ext, 4 KiB blocks, group 1", 10 * kGiB, 32768 * 4 * kKiB},
      {"ext, 4 KiB blocks, group 49", 10 * kGiB, 1605632 * 4 * kKiB},
      {"ext, 4 KiB blocks, group 27", 10 * kGiB, 884736 * 4 * kKiB},
      {"ext, 64 KiB blocks, group 1", 40 * kGiB, 32 * kGiB},
      {"xfs, second of four groups", 1 * kGiB, 256 * kMiB},
      {"xfs, last of four groups, rounded up", 1 * kGiB + 4 * kKiB, 3 * 65537 * 4 * kKiB},
      {"xfs, sixteen groups", 16 * kGiB, 15 * kGiB},
      {"xfs, groups of 1 TiB", 6 * kTiB, 5 * kTiB},
      {"btrfs, first copy", 128 * kMiB, 64 * kMiB},
      {"btrfs, second copy", 300 * kGiB, 256 * kGiB},
      {"LUKS2, last place of the second header", 128 * kMiB, 4 * kMiB},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) { CHECK(covers(proof_places(c.size), c.offset)); }
  }
}

TEST_CASE("A device that reads as zeros in all places is blank, whatever its size", "[block]") {
  for (const std::uint64_t size : {1 * kMiB, 50 * kMiB + 512, 20 * kTiB}) {
    FakeBlockDevice device(size);
    CHECK(content_of(device) == Content(Blank{}));
  }
}

TEST_CASE("One byte in any place of the proof is data", "[block]") {
  constexpr std::uint64_t kSize = 1 * kGiB;
  for (const Extent& place : proof_places(kSize)) {
    for (const std::uint64_t offset : {place.offset, place.end() - 1}) {
      CAPTURE(offset);
      FakeBlockDevice device(kSize);
      device.put(offset, "\x01");
      CHECK(content_of(device) == Content(HoldsData{offset, "data of no known format"}));
    }
  }
}

TEST_CASE("A place that cannot be read is never blank, and its errno is kept", "[block]") {
  constexpr std::uint64_t kSize = 1 * kGiB;
  const auto& [name, offset] =
      GENERATE(table<std::string, std::uint64_t>({{"head", 0},
                                                  {"behind the superblock", 512 * kKiB},
                                                  {"backup superblock", 128 * kMiB},
                                                  {"tail", kSize - kAlignment}}));
  const int error = GENERATE(EIO, ENODATA, ETIMEDOUT, ENXIO);
  CAPTURE(name, error);
  FakeBlockDevice device(kSize);
  device.bad[offset] = error;
  const auto seen = std::get<Unreadable>(content_of(device));
  CHECK(seen.sys_errno == error);
  CHECK(seen.offset <= offset);
  CHECK(offset < seen.offset + kMiB);

  // Also when there is something in another place.
  device.put(4 * kMiB, "data");
  CHECK(std::holds_alternative<Unreadable>(content_of(device)));
}

TEST_CASE("What is recognised at an end is told, also when a backup cannot be read", "[block]") {
  FakeBlockDevice device(1 * kGiB);
  device.put(0, std::string("LUKS\xba\xbe\x00\x01", 8));
  device.bad[128 * kMiB] = EIO;
  CHECK(std::get<Signature>(content_of(device)).type == "crypto_LUKS");
  device.bad[1 * kGiB - kAlignment] = EIO;
  CHECK(std::get<Unreadable>(content_of(device)).sys_errno == EIO);
}

TEST_CASE("A device of no size is not blank", "[block]") {
  FakeBlockDevice device(0);
  CHECK(content_of(device) == Content(Unreadable{0, ENOMEDIUM}));
  CHECK(whole_device_is_zero(device, 0, never).found == Content(Unreadable{0, ENOMEDIUM}));
}

TEST_CASE("What is left of a file system whose head is gone is called by its name", "[block]") {
  constexpr std::uint64_t kSize = 1 * kGiB;
  struct Case {
    const char* name;
    std::uint64_t block;  // of 4096
    std::uint64_t offset;
    std::string magic;
  };
  const Case cases[] = {
      {"a backup superblock of ext2/3/4", 128 * kMiB, 56, "\x53\xef"},
      {"a backup superblock of ext2/3/4", 8192 * kKiB, kKiB + 56, "\x53\xef"},  // 1 KiB blocks
      {"a secondary superblock of xfs", 256 * kMiB, 0, "XFSB"},
      {"a copy of a btrfs superblock", 64 * kMiB, 64, "_BHRfS_M"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name, c.block);
    FakeBlockDevice device(kSize);
    device.put(c.block + c.offset, c.magic);
    CHECK(content_of(device) == Content(HoldsData{c.block + c.offset, c.name}));
  }
}

TEST_CASE("The whole device is proven zero only by reading all of it", "[block]") {
  FakeBlockDevice device(10 * kMiB + 512);
  CHECK(whole_device_is_zero(device, 0, never).found == Content(Blank{.throughout = true}));

  device.put(7 * kMiB + 5, "x");
  const ZeroScan scan = whole_device_is_zero(device, 0, never);
  CHECK(scan.found == Content(HoldsData{7 * kMiB + 5, "data of no known format"}));

  device.bad[3 * kMiB] = EIO;
  CHECK(whole_device_is_zero(device, 0, never).found == Content(Unreadable{3 * kMiB, EIO}));
}

TEST_CASE("A cancelled scan is resumed where it stopped", "[block]") {
  FakeBlockDevice device(10 * kMiB);
  int reads = 0;
  device.before_read = [&] { ++reads; };
  const ZeroScan first = whole_device_is_zero(device, 0, [&] { return reads == 4; });
  CHECK_FALSE(first.found);
  CHECK(first.next == 4 * kMiB);

  const ZeroScan second = whole_device_is_zero(device, first.next, never);
  CHECK(second.found == Content(Blank{.throughout = true}));
  CHECK(reads == 10);
}

TEST_CASE("A scan cannot be resumed where no scan stopped", "[block]") {
  FakeBlockDevice device(10 * kMiB);
  device.put(0, "x");
  for (const std::uint64_t from : {11 * kMiB, 1 * kMiB + 1, ~std::uint64_t{0}}) {
    CAPTURE(from);
    CHECK(whole_device_is_zero(device, from, never).found ==
          Content(HoldsData{0, "data of no known format"}));
  }
}

TEST_CASE("Content is told in words", "[block]") {
  CHECK(describe(Blank{}) == "is blank");
  CHECK(describe(Blank{true}) == "is zero throughout");
  CHECK(describe(Signature{"gpt", ""}) == "holds gpt");
  CHECK(describe(Signature{"xfs", "0-1"}) == "holds xfs 0-1");
  CHECK(describe(HoldsData{7, "data of no known format"}) == "holds data of no known format at byte 7");
  CHECK(describe(Unreadable{4096, EIO}) == "cannot be read at byte 4096 (Input/output error)");
}

}  // namespace
}  // namespace holdfast::block
