#include "csi-disk/driver/attach_room.h"

#include "test/catch.h"

namespace holdfast::disk {
namespace {

TEST_CASE("a node has room for what others do not take of its limit", "[disk]") {
  const std::vector<DiskIdentity> ours{{"s-1"}, {"s-2"}, {"s-1"}};
  struct Case {
    const char* name;
    std::uint32_t limit;
    std::vector<DiskIdentity> attached;
    std::uint32_t room;
  };
  const Case cases[] = {
      {"no limit", 0, {{"boot"}, {"s-1"}}, 0},
      {"nothing attached", 16, {}, 16},
      {"the disk that it boots from does not count", 16, {{"boot"}}, 16},
      {"nor do ours", 16, {{"boot"}, {"s-1"}, {"s-2"}}, 16},
      {"others do", 16, {{"boot"}, {"s-1"}, {"x"}, {"y"}}, 14},
      {"others have all", 2, {{"boot"}, {"x"}, {"y"}, {"z"}}, 1},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) { CHECK(room_for_volumes(c.limit, c.attached, ours) == c.room); }
  }
}

}  // namespace
}  // namespace holdfast::disk
