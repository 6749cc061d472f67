#include "csi-disk/volumes/disk_cloud.h"

#include <limits>
#include <string>

#include "test/catch.h"

namespace holdfast::disk {
namespace {

struct Row {
  const char* cloud;
  const char* type;
  const char* level;
  std::uint64_t required_bytes;
  std::uint64_t limit_bytes;
  bool round_up;
  std::uint64_t gib;  // 0: kOutOfRange
};

TEST_CASE("a disk is as large as asked for, in the sizes that are sold", "[disk sizes]") {
  constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
  const Row rows[] = {
      {"alibaba", "cloud_essd", "", 20 * kGiB, 0, false, 20},
      {"alibaba", "cloud_essd", "", 20 * kGiB + 1, 0, false, 21},
      {"alibaba", "cloud_essd", "", 21 * kGiB - 1, 21 * kGiB, false, 21},
      {"alibaba", "cloud_essd", "", 20 * kGiB + 1, 20 * kGiB + 2, false, 0},
      {"alibaba", "cloud_essd", "", 0, 0, false, 20},
      {"alibaba", "cloud_essd", "", 0, 19 * kGiB, false, 0},
      {"alibaba", "cloud_essd", "", 5 * kGiB, 0, false, 0},
      {"alibaba", "cloud_essd", "", 5 * kGiB, 0, true, 20},
      {"alibaba", "cloud_essd", "", 1, 20 * kGiB, true, 20},
      {"alibaba", "cloud_essd", "", 1, 19 * kGiB, true, 0},
      {"alibaba", "cloud_essd", "PL0", 1, 0, false, 1},
      {"alibaba", "cloud_essd", "PL1", 19 * kGiB, 0, false, 0},
      {"alibaba", "cloud_essd", "PL1", 20 * kGiB, 0, false, 20},
      {"alibaba", "cloud_essd", "PL2", 460 * kGiB, 0, false, 0},
      {"alibaba", "cloud_essd", "PL2", 460 * kGiB + 1, 0, false, 461},
      {"alibaba", "cloud_essd", "PL3", 1260 * kGiB, 0, true, 0},
      {"alibaba", "cloud_essd", "PL3", 1261 * kGiB, 0, false, 1261},
      {"alibaba", "cloud_essd", "", 32768 * kGiB, 0, false, 32768},
      {"alibaba", "cloud_essd", "", 32768 * kGiB + 1, 0, false, 0},
      {"alibaba", "cloud", "", 5 * kGiB, 0, false, 5},
      {"alibaba", "cloud", "", 2001 * kGiB, 0, false, 0},
      {"alibaba", "cloud_ssd", "", kMost, 0, false, 0},
      {"cbs", "CLOUD_PREMIUM", "", 11 * kGiB, 0, false, 20},
      {"cbs", "CLOUD_PREMIUM", "", 20 * kGiB, 20 * kGiB, false, 20},
      {"cbs", "CLOUD_PREMIUM", "", 21 * kGiB, 25 * kGiB, false, 0},
      {"cbs", "CLOUD_SSD", "", 10 * kGiB, 0, false, 0},
      {"ens", "cloud_hybrid", "", 20 * kGiB, 0, false, 20},
      {"eck", "", "", 19 * kGiB, 0, false, 0},
      {"sim", "cloud_essd", "PL0", 1, 0, false, 1},
      {"sim", "cloud_auto", "", 0, 0, false, 1},
      {"sim", "cloud_essd", "PL2", 460 * kGiB, 0, false, 0},
  };
  for (const Row& row : rows) {
    DYNAMIC_SECTION(row.cloud << " " << row.type << row.level << " " << row.required_bytes) {
      const Result<std::uint64_t> gib = fitting_gib(known_cloud(row.cloud).value(), row.type, row.level,
                                                    {.required_bytes = row.required_bytes,
                                                     .limit_bytes = row.limit_bytes,
                                                     .round_up_small = row.round_up});
      if (row.gib == 0) {
        REQUIRE_FALSE(gib.has_value());
        CHECK(gib.error().code == Code::kOutOfRange);
        continue;
      }
      REQUIRE(gib.has_value());
      CHECK(*gib == row.gib);
      CHECK(*gib * kGiB >= row.required_bytes);
    }
  }
}

TEST_CASE("an error of size says what is sold, and how to get it", "[disk sizes]") {
  const DiskCloud cloud = known_cloud("alibaba").value();
  const auto message = [&](const char* level, std::uint64_t gib) {
    return fitting_gib(cloud, "cloud_essd", level, {.required_bytes = gib * kGiB}).error().message;
  };
  CHECK(message("", 5) ==
        "disk size is not supported: a disk of type cloud_essd has 20 to 32768 GiB, and 5 are asked for: ask "
        "for "
        "more, or set volumeSizeAutoAvailable in the StorageClass");
  CHECK_THAT(message("PL3", 5),
             Catch::Contains("1261") && Catch::Contains("another type or performanceLevel"));
}

TEST_CASE("a level or type that is not sold is no size", "[disk sizes]") {
  const DiskCloud cloud = known_cloud("alibaba").value();
  for (const auto& [type, level] : {std::pair{"cloud_ssd", "PL1"}, {"cloud_essd", "PL7"}, {"nothing", ""}}) {
    const Result<std::uint64_t> gib = fitting_gib(cloud, type, level, {});
    REQUIRE_FALSE(gib.has_value());
    CHECK(gib.error().code == Code::kInvalidArgument);
  }
}

}  // namespace
}  // namespace holdfast::disk
