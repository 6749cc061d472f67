#include "csi-disk/controller/disk_adoption.h"

#include "test/catch.h"
#include "test/csi-disk/conformance/forwarding_disks.h"
#include "test/csi-disk/controller/disk_scene.h"

namespace holdfast::disk {
namespace {

template <class T>
void refuses(const Result<T>& result, Code code, const std::string& told) {
  REQUIRE_FALSE(result.has_value());
  INFO(result.error().message);
  CHECK(to_string(result.error().code) == to_string(code));
  CHECK_THAT(result.error().message, Catch::Contains(told));
}

/// Somebody else does something before one of its calls.
class InterruptedDisks final : public ForwardingDisks {
 public:
  using ForwardingDisks::ForwardingDisks;
  Answer<std::vector<Disk>> disks(const std::vector<std::string>& ids, Deadline deadline) override {
    count();
    return ForwardingDisks::disks(ids, deadline);
  }
  Done tag_disk(const std::string& disk, const Tags& set, const std::vector<std::string>& unset,
                Deadline deadline) override {
    count();
    return ForwardingDisks::tag_disk(disk, set, unset, deadline);
  }

  std::function<void(std::size_t number)> before = {};  ///< of its calls, from 1 on

 private:
  void count() {
    if (before) before(++calls_);
  }
  std::size_t calls_ = 0;
};

TEST_CASE_METHOD(DiskScene, "a disk that is there is adopted, by one volume", "[disk maker]") {
  const std::string id =
      cloud.put_disk({.id = {}, .name = "theirs", .gib = 20, .zone = "b", .tags = {{"k", "v"}}});
  NewDisk disk = wanted("pvc-1", {{"volume.alibabacloud.com/disk-id", id}});
  disk.reached = reached_in({"a"});
  refuses(create(disk), Code::kResourceExhausted, "is in b");
  disk.reached = reached_in({"b"});
  for (int i = 0; i < 2; ++i) CHECK(create(disk)->id == id);
  CHECK(now(id).tags == Tags{{"k", "v"},
                             {"csi.state", "ready"},
                             {"csi.fs", "maybe"},
                             {"csi.cluster", "uid-1"},
                             {"csi.name", "pvc-1"}});
  disk.name = "pvc-2";
  refuses(create(disk), Code::kAlreadyExists, "is the volume pvc-1 already");
  disk.size.required_bytes = 21 * kGiB;
  refuses(create(disk), Code::kOutOfRange, "20 GiB");
  refuses(create(wanted("pvc-3", {{"volume.alibabacloud.com/disk-id", "d-none"}})), Code::kNotFound,
          "d-none");
  CHECK(cloud.all_disks().size() == 1);
}

TEST_CASE_METHOD(DiskScene, "of two volumes that want one disk one gets it, whoever they are told by",
                 "[disk maker]") {
  const std::string id = cloud.put_disk({.id = {}, .gib = 20, .zone = "a"});
  const Parameters parameters{{"volume.alibabacloud.com/disk-id", id}};
  const NewDisk one = wanted("pvc-1", parameters);
  const NewDisk two = wanted("pvc-2", parameters);
  InterruptedDisks interrupted(cloud);
  DiskVolumes mine(interrupted, settings_of("alibaba", "uid-1"), clock);
  DiskVolumes other(cloud, settings_of("alibaba", GENERATE("uid-1", "uid-2")), clock);
  const auto take_one = [&] { return mine.maker().create(one, kPatience); };
  const auto take_two = [&] { return other.maker().create(two, kPatience); };
  const std::size_t stop_at = GENERATE(range(1U, 6U));
  Result<Disk> second = fail(Code::kAborted, "not asked for");
  interrupted.before = [&](std::size_t number) {
    if (number == stop_at) second = take_two();
  };
  Result<Disk> first = take_one();
  CHECK_FALSE((first && second));
  // Each is asked again until it is told yes or no.
  for (int i = 0; i < 2; ++i) {
    if (!first) first = take_one();
    if (!second) second = take_two();
  }
  REQUIRE(first.has_value() != second.has_value());
  refuses(first ? second : first, Code::kAlreadyExists,
          first ? "is the volume pvc-1 already" : "is the volume pvc-2 already");
  CHECK(now(id).tags.at("csi.name") == (first ? "pvc-1" : "pvc-2"));
  for (const auto& [key, value] : now(id).tags) CHECK_FALSE(key.starts_with("csi.claim-"));
}

TEST_CASE_METHOD(DiskScene, "one process takes a disk for one volume at a time", "[disk maker]") {
  const std::string id = cloud.put_disk({.id = {}, .gib = 20, .zone = "a"});
  const Parameters parameters{{"volume.alibabacloud.com/disk-id", id}};
  InterruptedDisks interrupted(cloud);
  DiskVolumes mine(interrupted, settings_of("alibaba", "uid-1"), clock);
  Result<Disk> meanwhile = fail(Code::kInternal, "not asked for");
  interrupted.before = [&](std::size_t number) {
    if (number == 2) meanwhile = mine.maker().create(wanted("pvc-2", parameters), kPatience);
  };
  CHECK(mine.maker().create(wanted("pvc-1", parameters), kPatience));
  refuses(meanwhile, Code::kAborted, "is under way");
}

}  // namespace
}  // namespace holdfast::disk
