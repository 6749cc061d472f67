#include "csi-nas/driver/usage_record.h"

#include <filesystem>
#include <fstream>

#include "test/catch.h"
#include "test/fakes/fake_clock.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::nas {
namespace {

constexpr block::VolumeUsage kUsage{.total_bytes = 100,
                                    .available_bytes = 60,
                                    .used_bytes = 40,
                                    .total_inodes = 10,
                                    .available_inodes = 7,
                                    .used_inodes = 3};
constexpr block::VolumeUsage kLater{.total_bytes = 100, .used_bytes = 50};

struct RecordScene {
  holdfast::test::TemporaryFolder folder;
  PosixFiles files;
  holdfast::test::FakeClock clock;
  std::filesystem::path path = folder.path() / "nas-usage" / "driver";
  UsageRecord record{files, clock, path};

  Usages read_anew() {
    auto read = UsageRecord(files, clock, path).read();
    REQUIRE(read.has_value());
    return *read;
  }
};

TEST_CASE_METHOD(RecordScene, "usages outlive the driver", "[nas]") {
  CHECK(read_anew().empty());
  const Usages usages{{"pv-1", kUsage}, {"a name\nwith \"all\"", kLater}};
  REQUIRE(record.keep(usages).has_value());
  CHECK(read_anew() == usages);
}

TEST_CASE_METHOD(RecordScene, "the record is written for other volumes at once, else once a minute",
                 "[nas]") {
  REQUIRE(record.keep({{"pv-1", kUsage}}).has_value());
  REQUIRE(record.keep({{"pv-1", kLater}}).has_value());
  CHECK(read_anew() == Usages{{"pv-1", kUsage}});
  REQUIRE(record.keep({{"pv-1", kLater}, {"pv-2", kUsage}}).has_value());
  CHECK(read_anew().size() == 2);
  REQUIRE(record.keep({{"pv-2", kUsage}}).has_value());
  CHECK(read_anew() == Usages{{"pv-2", kUsage}});
  clock.advance(UsageRecord::kInterval);
  REQUIRE(record.keep({{"pv-2", kLater}}).has_value());
  CHECK(read_anew() == Usages{{"pv-2", kLater}});
}

TEST_CASE_METHOD(RecordScene, "a record that is damaged is none", "[nas]") {
  REQUIRE(record.keep({{"pv-1", kUsage}}).has_value());
  std::ofstream(path, std::ios::app) << "more";
  CHECK(read_anew().empty());
  CHECK_FALSE(read_usages(R"({"volumes":{"pv-1":[1,2,3,4,5]}})").has_value());
  CHECK_FALSE(read_usages(R"({"volumes":{"pv-1":[1,2,3,4,5,-6]}})").has_value());
  CHECK_FALSE(read_usages("{}").has_value());
}

}  // namespace
}  // namespace holdfast::nas
