#include "csi-disk/device/device_watch.h"

#include <filesystem>

#include "test/catch.h"
#include "test/fakes/log_lines.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::disk {
namespace {

namespace fs = std::filesystem;

TEST_CASE("a link that is made later is news, also in a folder that comes with it", "[disk]") {
  const holdfast::test::TemporaryFolder folder;
  SystemClock clock;
  holdfast::test::LogLines log;
  const auto loop = EventLoop::create(clock).value();
  DeviceNews news;
  const auto watch = DeviceWatch::start(*loop, folder / "disk/by-id", news, log).value();
  fs::create_directories(folder / "disk/by-id");
  for (int turns = 0; turns < 50 && news.count() == 0; ++turns) {
    REQUIRE(loop->turn(std::chrono::milliseconds(20)).has_value());
  }
  CHECK(news.count() > 0);
  while (loop->turn(std::chrono::milliseconds(20)).has_value() && news.wait(news.count(), {})) continue;
  const std::uint64_t before = news.count();
  fs::create_symlink("../../vdb", folder / "disk/by-id/virtio-d-1");
  for (int turns = 0; turns < 50 && news.count() == before; ++turns) {
    REQUIRE(loop->turn(std::chrono::milliseconds(20)).has_value());
  }
  CHECK(news.count() > before);
}

}  // namespace
}  // namespace holdfast::disk
