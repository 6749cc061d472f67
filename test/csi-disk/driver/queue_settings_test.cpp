#include "csi-disk/driver/queue_settings.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "test/catch.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::disk {
namespace {

namespace fs = std::filesystem;

TEST_CASE("settings of a disk's queue are read as StorageClasses write them", "[disk]") {
  using Settings = std::vector<QueueSetting>;
  CHECK(parse_queue_settings("").value().empty());
  CHECK(parse_queue_settings("/queue/read_ahead_kb=4096, /queue/scheduler=mq-deadline,").value() ==
        Settings{{"read_ahead_kb", "4096"}, {"scheduler", "mq-deadline"}});
}

TEST_CASE("what does not bear on the speed of this disk alone cannot be set", "[disk]") {
  for (const char* text : {"read_ahead_kb=1", "/queue/../../sdb/queue/read_ahead_kb=1",
                           "/queue/read_ahead_kb", "/queue/read_ahead_kb=", "/queue/read_ahead_kb=1\n2",
                           "/queue/read_ahead_kb=a/b", "/queue/rotational=0", "/queue/write_cache=none",
                           "/device/delete=1", "/queue/=1", "=", "/queue/read_ahead_kb=1,/device/delete=1",
                           "/queue/read_ahead_kb=123456789012345678901234567890123"}) {
    CAPTURE(text);
    const auto parsed = parse_queue_settings(text);
    REQUIRE_FALSE(parsed.has_value());
    CHECK(parsed.error().code == Code::kInvalidArgument);
    CHECK(parsed.error().message.find("read_ahead_kb") != std::string::npos);
  }
}

TEST_CASE("settings are written below the disk's own folder", "[disk]") {
  const test::TemporaryFolder sys;
  fs::create_directories(sys / "block/vdb/queue");
  std::ofstream(sys / "block/vdb/queue/read_ahead_kb") << "128";
  REQUIRE(apply({{"read_ahead_kb", "4096"}}, "vdb", sys / "").has_value());
  std::ifstream file(sys / "block/vdb/queue/read_ahead_kb");
  CHECK(std::string(std::istreambuf_iterator<char>(file), {}) == "4096");
  const Status absent = apply({{"nr_requests", "1"}}, "vdb", sys / "");
  REQUIRE_FALSE(absent.has_value());
  CHECK(absent.error().code == Code::kNotFound);
}

}  // namespace
}  // namespace holdfast::disk
