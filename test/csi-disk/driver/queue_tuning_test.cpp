#include "csi-disk/driver/queue_tuning.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "test/catch.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::disk {
namespace {

namespace fs = std::filesystem;

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
