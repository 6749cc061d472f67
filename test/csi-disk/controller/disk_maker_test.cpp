#include "csi-disk/controller/disk_maker.h"

#include "test/catch.h"
#include "test/csi-disk/controller/disk_scene.h"

namespace holdfast::disk {
namespace {

using Words = std::vector<std::string>;

template <class T>
void refuses(const Result<T>& result, Code code, const std::string& told) {
  REQUIRE_FALSE(result.has_value());
  INFO(result.error().message);
  CHECK(to_string(result.error().code) == to_string(code));
  CHECK_THAT(result.error().message, Catch::Contains(told));
}

// Where attempts were made, in order: "zone/type".
Words sold_where(DiskScene& scene, const NewDisk& wanted) {
  Words tried;
  for (;;) {
    const Result<Disk> made = scene.create(wanted);
    if (!made) return tried;
    tried.push_back(made->zone + "/" + made->performance.type);
    scene.cloud.sold_out.insert({made->zone, made->performance.type});
    REQUIRE(scene.volumes->remove(made->id, kPatience));
    scene.clock.advance(std::chrono::hours(1));
    scene.cloud.forget_calls();
  }
}

TEST_CASE_METHOD(SlowDiskScene, "a disk is made once, and told when it can be used", "[disk maker]") {
  const NewDisk disk = wanted("pvc-1", {{"diskTags", "team:a"}, {"volumeDeleteSnapshotRetentionDays", "3"}});
  const Result<Disk> made = create(disk);
  REQUIRE(made);
  CHECK(made->state == DiskState::kAvailable);
  CHECK(made->gib == 20);
  CHECK(made->zone == "a");
  CHECK(now(made->id).tags == Tags{{"csi.state", "ready"},
                                   {"csi.fs", "new"},
                                   {"csi.cluster", "uid-1"},
                                   {"csi.name", "pvc-1"},
                                   {"csi.keep-days", "3"},
                                   {"team", "a"}});
  cloud.forget_calls();
  for (int i = 0; i < 2; ++i) {
    restart();
    CHECK(create(disk)->id == made->id);
  }
  CHECK(cloud.all_disks().size() == 1);
  CHECK(cloud.calls() == std::map<std::string, std::size_t>{{"disks_named", 2}, {"disks", 2}});
  CHECK(volumes->maker().open_attempts() == 0);
}

TEST_CASE_METHOD(SlowDiskScene, "whatever is refused once a disk may be there has its maker asked again",
                 "[disk maker]") {
  const NewDisk disk = wanted("pvc-1");
  for (const char* what : {"disks", "tag_disk", "disks_named"}) {
    cloud.fault = [what](std::size_t, const std::string& call) {
      return call == what ? std::optional(MemoryDisks::Fault::kRefused) : std::nullopt;
    };
    refuses(create(disk), Code::kAborted, "Strange.Code");
    restart();
  }
  CHECK(cloud.all_disks().size() == 1);
  cloud.fault = {};
  REQUIRE(create(disk));
  CHECK(cloud.all_disks().size() == 1);
}

TEST_CASE_METHOD(DiskScene, "the same name for something else is refused", "[disk maker]") {
  REQUIRE(create("pvc-1"));
  NewDisk larger = wanted("pvc-1");
  larger.size.required_bytes = 21 * kGiB;
  refuses(create(larger), Code::kAlreadyExists, "another size");
  NewDisk smaller = wanted("pvc-1");
  smaller.size = {.required_bytes = kGiB, .limit_bytes = 19 * kGiB, .round_up_small = false};
  refuses(create(smaller), Code::kAlreadyExists, "another size");
  refuses(create(wanted("pvc-1", {{"encrypted", "true"}})), Code::kAlreadyExists, "not encrypted");
  refuses(create(wanted("pvc-1", {{"multiAttach", "true"}})), Code::kAlreadyExists, "several nodes");
  NewDisk elsewhere = wanted("pvc-1");
  elsewhere.reached = reached_in({"b"});
  refuses(create(elsewhere), Code::kAlreadyExists, "is in a, where it is not reached");
  NewDisk copy = wanted("pvc-1");
  copy.source = DiskSource{.id = "d-00000001"};
  refuses(create(copy), Code::kAlreadyExists, "another source");
  CHECK(cloud.all_disks().size() == 1);
}

TEST_CASE_METHOD(DiskScene, "another cluster's disk of the same name is another", "[disk maker]") {
  const Result<Disk> mine = create("pvc-1");
  REQUIRE(mine);
  DiskVolumes other(cloud, settings_of("alibaba", "uid-2"), clock);
  const Result<Disk> theirs = other.maker().create(wanted("pvc-1"), kPatience);
  REQUIRE(theirs);
  CHECK(theirs->id != mine->id);
  CHECK(create("pvc-1")->id == mine->id);
}

TEST_CASE_METHOD(DiskScene, "somebody's disk that is called so is not taken for the volume", "[disk maker]") {
  const std::string foreign = cloud.put_disk({.id = {}, .name = "pvc-1", .gib = 20, .zone = "a"});
  const Result<Disk> made = create("pvc-1");
  REQUIRE(made);
  CHECK(made->id != foreign);
}

TEST_CASE_METHOD(DiskScene, "what is out of stock is tried elsewhere: places first, types within",
                 "[disk maker]") {
  NewDisk disk = wanted("pvc-1", {{"type", "cloud_essd,cloud_ssd"}});
  disk.reached = reached_in({"b", "a"});
  CHECK(sold_where(*this, disk) == Words{"b/cloud_essd", "b/cloud_ssd", "a/cloud_essd", "a/cloud_ssd"});
  const Result<Disk> none = create(disk);
  refuses(none, Code::kResourceExhausted, "make a disk of cloud_essd, 20 GiB, in b: the cloud says");
  CHECK_THAT(none.error().message, Catch::Contains("cloud_ssd, 20 GiB, in a"));
  CHECK(cloud.all_disks().empty());
  CHECK(volumes->maker().open_attempts() == 0);
}

TEST_CASE_METHOD(DiskScene, "a type that a zone never had sends the pod elsewhere", "[disk maker]") {
  cloud.not_sold = {{"a", "cloud_essd"}};
  NewDisk disk = wanted("pvc-1");
  refuses(create(disk), Code::kInvalidArgument, "InvalidDiskCategory");
  disk.reached = reached_in({"a"});
  refuses(create(disk), Code::kResourceExhausted, "InvalidDiskCategory");
  disk.reached = reached_in({"a", "b"});
  CHECK(create(disk)->zone == "b");
}

TEST_CASE_METHOD(DiskScene, "a class's zones take turns, and give way to where pods are", "[disk maker]") {
  std::map<std::string, int> zones;
  for (int i = 0; i < 60; ++i)
    ++zones[create(wanted("pvc-" + std::to_string(i), {{"zoneId", "a,b,c"}}))->zone];
  REQUIRE(zones.size() == 3);
  for (const auto& [zone, count] : zones) CHECK(count >= 10);
  NewDisk disk = wanted("pvc-elsewhere", {{"zoneId", "a"}});
  disk.reached = reached_in({"b"});
  CHECK(create(disk)->zone == "b");
  refuses(create(wanted("pvc-other", {{"regionId", "other"}})), Code::kInvalidArgument,
          "this controller's region");
}

TEST_CASE_METHOD(DiskScene,
                 "after an outcome that is not known the same is asked for again, and nothing else",
                 "[disk maker]") {
  NewDisk disk = wanted("pvc-1", {{"type", "cloud_essd,cloud_ssd"}, {"zoneId", "a,b"}});
  cloud.fault = [](std::size_t, const std::string& call) {
    return call == "create_disk" ? std::optional(MemoryDisks::Fault::kUnanswered) : std::nullopt;
  };
  // The cloud does not show it by its name for a while.
  refuses(create(disk), Code::kAborted, "timed out");
  const std::string first = cloud.all_disks().at(0).id;
  cloud.fault = nullptr;
  const Result<Disk> made = create(disk);
  REQUIRE(made);
  CHECK(made->id == first);
  CHECK(cloud.all_disks().size() == 1);
  CHECK(volumes->maker().open_attempts() == 0);
}

TEST_CASE_METHOD(DiskScene, "an open attempt is resumed with its token though another would come first",
                 "[disk maker]") {
  NewDisk disk = wanted("pvc-1", {{"type", "cloud_essd,cloud_ssd"}});
  cloud.sold_out = {{"a", "cloud_essd"}};
  cloud.fault = [made = 0](std::size_t,
                           const std::string& call) mutable -> std::optional<MemoryDisks::Fault> {
    if (call != "create_disk" || ++made < 2) return std::nullopt;
    return MemoryDisks::Fault::kLost;
  };
  refuses(create(disk), Code::kAborted, "timed out");
  cloud.sold_out.clear();
  cloud.fault = [](std::size_t, const std::string& call) {
    return call == "create_disk" ? std::optional(MemoryDisks::Fault::kThrottled) : std::nullopt;
  };
  CHECK_FALSE(create(disk));
  CHECK(volumes->maker().open_attempts() == 1);
  cloud.fault = nullptr;
  CHECK(create(disk)->performance.type == "cloud_ssd");
}

TEST_CASE_METHOD(DiskScene, "a disk that nobody was told of is deleted when another is asked for",
                 "[disk maker]") {
  cloud.fault = [](std::size_t, const std::string& call) {
    return call == "tag_disk" ? std::optional(MemoryDisks::Fault::kLost) : std::nullopt;
  };
  NewDisk disk = wanted("pvc-1");
  refuses(create(disk), Code::kAborted, "timed out");
  cloud.fault = nullptr;
  restart();
  disk.reached = reached_in({"b"});
  const Result<Disk> made = create(disk);
  REQUIRE(made);
  CHECK(made->zone == "b");
  CHECK(cloud.all_disks().size() == 1);
}

TEST_CASE_METHOD(DiskScene, "an open attempt is brought to its end before another disk is asked for",
                 "[disk maker]") {
  cloud.names_lag = std::chrono::minutes(1);
  const auto fault = GENERATE(MemoryDisks::Fault::kLost, MemoryDisks::Fault::kUnanswered);
  cloud.fault = [&](std::size_t, const std::string& call) {
    return call == "create_disk" ? std::optional(fault) : std::nullopt;
  };
  NewDisk disk = wanted("pvc-1");
  disk.reached = reached_in({"a"});
  refuses(create(disk), Code::kAborted, "timed out");
  disk.reached = reached_in({"b"});
  refuses(create(disk), Code::kAborted, "learn what became of a disk of cloud_essd, 20 GiB, in a");
  cloud.fault = nullptr;
  SECTION("elsewhere") {
    const Result<Disk> made = create(disk);
    REQUIRE(made);
    CHECK(made->zone == "b");
    REQUIRE(cloud.all_disks().size() == 1);
    CHECK(cloud.all_disks()[0].id == made->id);
  }
  SECTION("and the other is not to be had at all") {
    disk.reached = reached_in({"none of the class"});
    disk.of_class.zones = {"a"};
    refuses(create(disk), Code::kResourceExhausted, "");
    CHECK(cloud.all_disks().empty());
  }
  CHECK(volumes->maker().open_attempts() == 0);
}

TEST_CASE_METHOD(DiskScene, "of two disks that a cloud made for one volume, one is left", "[disk maker]") {
  const Result<Disk> ready = create("pvc-1");
  REQUIRE(ready);
  Disk second = now(ready->id);
  second.tags["csi.state"] = "creating";
  cloud.put_disk(second);
  CHECK(create("pvc-1")->id == ready->id);
  CHECK(cloud.all_disks().size() == 1);
}

TEST_CASE_METHOD(DiskScene, "a token that the cloud remembers from a deleted disk does not stop a new one",
                 "[disk maker]") {
  const Result<Disk> first = create("pvc-1");
  REQUIRE(first);
  REQUIRE(volumes->remove(first->id, kPatience));
  for (int i = 0; i < 10; ++i) {
    const Result<Disk> made = create("pvc-1");
    if (made) {
      CHECK(made->id != first->id);
      CHECK(cloud.all_disks().size() == 1);
      return;
    }
    CHECK(made.error().code == Code::kAborted);
  }
  FAIL("it is never made");
}

TEST_CASE_METHOD(SlowDiskScene, "a slow cloud is waited for by the next call", "[disk maker]") {
  const Result<Disk> made = volumes->maker().create(wanted("pvc-1"), std::chrono::milliseconds(100));
  refuses(made, Code::kAborted, "is under way: ask again");
  CHECK(create("pvc-1").has_value());
  CHECK(cloud.all_disks().size() == 1);
}

TEST_CASE_METHOD(SlowDiskScene, "a disk is made from a snapshot that is ready", "[disk maker]") {
  const Result<Disk> source = create("pvc-1");
  REQUIRE(source);
  const Result<Snapshot> cut = snapshot("snap-1", source->id);
  REQUIRE(cut);
  NewDisk disk = wanted("pvc-2");
  disk.source = DiskSource{.id = cut->id, .snapshot = true};
  refuses(create(disk), Code::kAborted, "snapshot");
  clock.advance(std::chrono::seconds(1));
  const Result<Disk> made = create(disk);
  REQUIRE(made);
  CHECK(made->snapshot == cut->id);
  CHECK(now(made->id).tags.at("csi.fs") == "maybe");
  CHECK(now(made->id).tags.at("csi.from") == "snapshot:" + cut->id);
  CHECK(create(disk)->id == made->id);

  NewDisk smaller = wanted("pvc-3", {{"type", "cloud_auto"}});
  smaller.size.required_bytes = 10 * kGiB;
  smaller.source = disk.source;
  refuses(create(smaller), Code::kOutOfRange, "smaller than its source");
  smaller.size.required_bytes = 0;
  CHECK(create(smaller)->gib == 20);
  smaller.name = "pvc-4";
  smaller.source->id = "s-none";
  refuses(create(smaller), Code::kNotFound, "no snapshot s-none");
  NewDisk named = wanted("pvc-5", {{"csi.alibabacloud.com/disk-snapshot-id", cut->id}});
  CHECK(create(named)->snapshot == cut->id);
}

TEST_CASE_METHOD(SlowDiskScene, "a copy of a disk leaves no snapshot behind", "[disk maker]") {
  const Result<Disk> source = create("pvc-1");
  REQUIRE(source);
  NewDisk disk = wanted("pvc-2");
  disk.source = DiskSource{.id = source->id};
  const Result<Disk> made = create(disk);
  REQUIRE(made);
  CHECK(cloud.all_snapshots().empty());
  CHECK(now(made->id).tags.at("csi.fs") == "maybe");
  CHECK(now(made->id).tags.at("csi.from") == "volume:" + source->id);
  CHECK(create(disk)->id == made->id);

  disk.name = "pvc-3";
  cloud.sold_out = {{"a", "cloud_essd"}};
  refuses(create(disk), Code::kResourceExhausted, "NoStock");
  CHECK(cloud.all_snapshots().empty());
  disk.source->id = "d-none";
  refuses(create(disk), Code::kNotFound, "no disk d-none");
  disk.size.required_bytes = 0;
  disk.size.limit_bytes = 19 * kGiB;
  disk.source->id = source->id;
  refuses(create(disk), Code::kOutOfRange, "above the limit");
  CHECK(cloud.all_snapshots().empty());
  CHECK(cloud.all_disks().size() == 2);
  CHECK(volumes->maker().open_attempts() == 0);
}

TEST_CASE_METHOD(DiskScene, "two controllers make one disk of one name, though a class has zones",
                 "[disk maker]") {
  cloud.names_lag = std::chrono::minutes(1);
  DiskVolumes other(cloud, settings_of("alibaba", "uid-1"), clock);
  for (int i = 0; i < 8; ++i) {
    const NewDisk disk = wanted("pvc-" + std::to_string(i), {{"zoneId", "a,b,c"}});
    REQUIRE(create(wanted("only here " + std::to_string(i), {{"zoneId", "a,b"}})));
    const Result<Disk> mine = create(disk);
    REQUIRE(mine);
    const Result<Disk> theirs = other.maker().create(disk, kPatience);
    REQUIRE(theirs);
    CHECK(theirs->id == mine->id);
  }
  CHECK(cloud.all_disks().size() == 16);
}

TEST_CASE_METHOD(DiskScene, "an account in arrears is asked again, and loses nothing", "[disk maker]") {
  cloud.in_arrears = true;
  refuses(create("pvc-1"), Code::kUnavailable, "NotEnoughBalance");
  cloud.in_arrears = false;
  CHECK(create("pvc-1").has_value());
}

TEST_CASE_METHOD(DiskScene, "a cloud without tags has the cluster in the names", "[disk maker]") {
  cloud.able.tags = false;
  const Result<Disk> made = create("pvc-1");
  REQUIRE(made);
  CHECK(made->name.starts_with("csi-"));
  CHECK(create("pvc-1")->id == made->id);
}

}  // namespace
}  // namespace holdfast::disk
