#include "csi-disk/controller/unfinished_disks.h"

#include "test/catch.h"
#include "test/csi-disk/controller/disk_scene.h"

namespace holdfast::disk {
namespace {

using Words = std::vector<std::string>;

struct LeftScene : DiskScene {
  std::string put(const Tags& tags) {
    return cloud.put_disk({.id = {}, .gib = 20, .zone = "a", .tags = tags});
  }
  UnfinishedDisks unfinished{*volumes, clock};
};

TEST_CASE_METHOD(LeftScene, "a disk that nobody was told of for an hour is told", "[disk volumes]") {
  const std::string left = put({{"csi.state", "creating"}, {"csi.name", "pvc-1"}, {"csi.cluster", "uid-1"}});
  put({{"csi.state", "creating"}, {"csi.name", "pvc-1"}, {"csi.cluster", "another"}});
  put({{"csi.state", "ready"}, {"csi.name", "pvc-2"}, {"csi.cluster", "uid-1"}});
  put({{"k", "of somebody"}});
  CHECK(unfinished.look(kPatience).value().empty());
  clock.advance(std::chrono::minutes(59));
  CHECK(unfinished.look(kPatience).value().empty());
  cloud.fault = [](std::size_t, const std::string&) { return MemoryDisks::Fault::kThrottled; };
  clock.advance(std::chrono::minutes(1));
  CHECK_FALSE(unfinished.look(kPatience));
  cloud.fault = nullptr;
  CHECK(unfinished.look(kPatience).value() == Words{left});
  REQUIRE(cloud.tag_disk(left, {{"csi.state", "ready"}}, {}, kPatience));
  CHECK(unfinished.look(kPatience).value().empty());
}

TEST_CASE_METHOD(LeftScene, "a disk that comes again begins anew", "[disk volumes]") {
  const Tags tags{{"csi.state", "creating"}, {"csi.name", "pvc-1"}, {"csi.cluster", "uid-1"}};
  const std::string id = put(tags);
  CHECK(unfinished.look(kPatience).value().empty());
  REQUIRE(cloud.tag_disk(id, {{"csi.state", "ready"}}, {}, kPatience));
  clock.advance(std::chrono::hours(2));
  CHECK(unfinished.look(kPatience).value().empty());
  REQUIRE(cloud.tag_disk(id, {{"csi.state", "creating"}}, {}, kPatience));
  CHECK(unfinished.look(kPatience).value().empty());
}

}  // namespace
}  // namespace holdfast::disk
