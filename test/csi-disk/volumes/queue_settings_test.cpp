#include "csi-disk/volumes/queue_settings.h"

#include "test/catch.h"

namespace holdfast::disk {
namespace {

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

}  // namespace
}  // namespace holdfast::disk
