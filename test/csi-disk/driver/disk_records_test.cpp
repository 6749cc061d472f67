#include "csi-disk/driver/disk_records.h"

#include <filesystem>
#include <fstream>

#include "test/catch.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::disk {
namespace {

namespace fs = std::filesystem;

struct Store {
  [[nodiscard]] fs::path only_file() const { return fs::directory_iterator(folder / "")->path(); }
  holdfast::test::TemporaryFolder folder;
  PosixFiles files;
  DiskRecords records{files, folder / ""};
};

const DiskRecord kRecord{.volume = "d-1/../x",
                         .identity = {.serial = "s-1", .wwn = "naa.1"},
                         .device_path = "/dev/vdb",
                         .raw = true,
                         .content = "formatted:u-1"};

TEST_CASE_METHOD(Store, "a record is read as it was written, whatever its volume is called", "[disk]") {
  CHECK_FALSE(records.read("d-1/../x")->record.has_value());
  REQUIRE(records.write(kRecord).has_value());
  CHECK(records.read("d-1/../x")->record == kRecord);
  CHECK_FALSE(records.read("d-2")->record.has_value());
  CHECK(records.all().value() == std::vector<DiskRecord>{kRecord});
  for (int again = 0; again < 2; ++again) CHECK(records.remove("d-1/../x").has_value());
  CHECK(records.all()->empty());
}

TEST_CASE_METHOD(Store, "of a record that is damaged nothing is known but that", "[disk]") {
  REQUIRE(records.write(kRecord).has_value());
  SECTION("torn") { fs::resize_file(only_file(), fs::file_size(only_file()) / 2); }
  SECTION("empty") { fs::resize_file(only_file(), 0); }
  SECTION("foreign") { std::ofstream(only_file()) << "hello\n"; }
  const FoundRecord found = records.read("d-1/../x").value();
  CHECK(found.damaged);
  CHECK_FALSE(found.record.has_value());
}

TEST_CASE_METHOD(Store, "the provenance of a volume's content is durable in its record", "[disk]") {
  DiskRecord record = kRecord;
  ContentRecord content(records, record);
  REQUIRE(content.write({.kind = block::Provenance::Kind::kFormatting, .uuid = {}}).has_value());
  CHECK(record.content == "formatting");
  CHECK(records.read(kRecord.volume)->record == record);
}

TEST_CASE("a record without what it is for is refused", "[disk]") {
  for (const char* text :
       {"", "[]", "{}", R"({"volume": "d-1", "content": "maybe"})", R"({"serial": "s", "content": "maybe"})",
        R"({"volume": "d-1", "serial": "s"})", R"({"volume": 1, "serial": "s", "content": "maybe"})",
        R"({"volume": "d-1", "serial": "s", "content": "maybe", "raw": "yes"})"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_record(text).has_value());
  }
}

}  // namespace
}  // namespace holdfast::disk
