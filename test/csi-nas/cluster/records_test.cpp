// The two kinds of records, under one contract; what their objects hold, and what an API server may do to
// them.
#include <functional>

#include "csi-nas/cluster/nas_names.h"
#include "csi-nas/cluster/task_object.h"
#include "csi-nas/cluster/volume_object.h"
#include "test/catch.h"
#include "test/csi-nas/cluster/site_scene.h"

namespace holdfast::nas::test {
namespace {

using namespace std::chrono_literals;
using Catch::Contains;
using holdfast::test::FaultKind;
using nlohmann::json;

NasRecord volume(const std::string& name) {
  NasRecord out;
  out.id = "nas1h#" + name;
  out.name = name;
  out.attributes = {{"server", "10.0.0.5"}, {"path", "/exports"}, {"vers", "4.1"}};
  out.mount_options = {"noatime"};
  out.directory = "team-a/" + name;
  out.site = "hangzhou-1";
  out.bytes = 1 << 30;
  out.on_delete = OnDelete::kDelete;
  out.source = "nas1h#other";
  out.of_snapshot = true;
  out.made = 1700000000;
  return out;
}

NasRecord snapshot(const std::string& name) {
  NasRecord out = volume(name);
  out.kind = NasRecord::Kind::kSnapshot;
  out.id += "#snapshot";
  return out;
}

NasRecord without_version(NasRecord record) {
  record.version.clear();
  return record;
}

/// Two ways to the same records.
struct BothRecords {
  virtual ~BothRecords() = default;
  virtual NasRecords& records() = 0;
  /// As another process has them.
  virtual NasRecords& others() = 0;
};

struct FilesOfRecords final : BothRecords {
  NasRecords& records() override { return *first; }
  NasRecords& others() override {
    second = FileRecords::open(files, folder / "records", notes).value();
    return *second;
  }
  holdfast::test::TemporaryFolder folder;
  PosixFiles files;
  std::vector<std::string> notes;
  std::unique_ptr<FileRecords> first = FileRecords::open(files, folder / "records", notes).value();
  std::unique_ptr<FileRecords> second;
};

struct ObjectsOfRecords final : BothRecords {
  NasRecords& records() override { return *first.records; }
  NasRecords& others() override {
    second = std::make_unique<SceneRecords>(scene);
    return *second->records;
  }
  SiteScene scene;
  SceneRecords first{scene};
  std::unique_ptr<SceneRecords> second;
};

TEST_CASE("records are kept, found, changed and removed, whatever keeps them", "[nas records]") {
  const std::map<std::string, std::function<std::unique_ptr<BothRecords>()>> kinds{
      {"files", [] { return std::make_unique<FilesOfRecords>(); }},
      {"objects", [] { return std::make_unique<ObjectsOfRecords>(); }}};
  for (const auto& [kind, make] : kinds) {
    DYNAMIC_SECTION(kind) {
      const auto scene = make();
      NasRecords& records = scene->records();
      CHECK(records.is_known());
      CHECK_FALSE(records.by_name("pvc-1", false).value());
      CHECK_FALSE(records.by_id("nas1h#pvc-1").value());
      NasRecord first = volume("pvc-1");
      NasRecord second = volume("PVC_2");  // no name of an object
      NasRecord copy = snapshot("pvc-1");
      for (NasRecord* each : {&first, &second, &copy}) {
        REQUIRE(records.put(*each));
        CHECK_FALSE(each->version.empty());
        CHECK(records.by_id(each->id).value() == *each);
        CHECK(records.by_name(each->name, is_snapshot(*each)).value() == *each);
      }
      CHECK_FALSE(records.by_name("PVC_2", true).value());
      CHECK(records.list(false) == std::vector<NasRecord>{second, first});
      CHECK(records.list(true) == std::vector<NasRecord>{copy});

      first.ready = true;
      first.bytes *= 2;
      REQUIRE(records.put(first));
      CHECK(records.by_id(first.id).value() == first);
      CHECK(scene->others().by_id(first.id).value() == first);
      CHECK(scene->others().list(false).size() == 2);

      REQUIRE(records.remove(second));
      REQUIRE(records.remove(second));
      REQUIRE(records.remove(volume("never-kept")));
      CHECK_FALSE(records.by_id(second.id).value());
      CHECK_FALSE(scene->others().by_name(second.name, false).value());
      CHECK(records.list(false) == std::vector<NasRecord>{first});
      REQUIRE(records.remove(first));
      REQUIRE(records.remove(copy));
      CHECK(scene->others().list(false).empty());
      CHECK(scene->others().list(true).empty());
    }
  }
}

TEST_CASE("a record that another controller has changed is not written over", "[nas records]") {
  SiteScene scene;
  SceneRecords one(scene);
  SceneRecords two(scene);
  NasRecord record = volume("pvc-1");
  REQUIRE(one->put(record));
  SECTION("nor made a second time, but for the very same") {
    NasRecord again = volume("pvc-1");
    REQUIRE(two->put(again));
    CHECK(again.version == record.version);
    NasRecord other = volume("pvc-1");
    other.id = "nas1h#elsewhere";
    const Status put = two->put(other);
    REQUIRE_FALSE(put);
    CHECK(put.error().code == Code::kAborted);
    CHECK_THAT(put.error().message, Contains("another controller"));
  }
  SECTION("nor put back when it was removed") {
    NasRecord read = two->by_name("pvc-1", false).value().value();
    REQUIRE(one->remove(record));
    read.ready = true;
    CHECK(two->put(read).error().code == Code::kAborted);
    CHECK(two->remove(read));
    CHECK(scene.with([&] { return scene.all(kVolumesPath).empty(); }));
  }
  SECTION("nor removed when it was changed") {
    NasRecord read = two->by_id(record.id).value().value();
    record.ready = true;
    REQUIRE(one->put(record));
    CHECK(two->remove(read).error().code == Code::kAborted);
    CHECK(two->by_id(record.id).value() == record);
  }
}

TEST_CASE("a record survives lost answers, and its finalizer goes with it and not before", "[nas records]") {
  SiteScene scene;
  SceneRecords records(scene);
  NasRecord record = volume("pvc-1");
  const auto lose = [&](const char* verb) {
    scene.with(
        [&] { scene.server->fault({.kind = FaultKind::kDropAfter, .verb = verb, .plural = "nasvolumes"}); });
  };
  const std::string path = std::string(kVolumesPath) + "/pvc-1";
  lose("create");
  REQUIRE(records->put(record));
  record.ready = true;
  lose("update");
  REQUIRE(records->put(record));
  CHECK(records->by_id(record.id).value() == record);
  SECTION("deleted by somebody it stays, and is used") {
    scene.with([&] { scene.server->remove(path); });
    const json kept = scene.with([&] { return scene.at(path); });
    CHECK(kept["metadata"].contains("deletionTimestamp"));
    record = records->by_id(record.id).value().value();
    record.bytes *= 2;
    REQUIRE(records->put(record));
  }
  SECTION("removed, though no answer comes") { lose("delete"); }
  REQUIRE(records->remove(record));
  CHECK(scene.with([&] { return scene.at(path); }).is_null());
  SECTION("removed again where the finalizer went and no more") {
    REQUIRE(records->put(record = volume("pvc-1")));
    lose("patch");
    // Whether it is ours that was lost cannot be known: it is read, and removed.
    const Status removed = records->remove(record);
    if (!removed) {
      CHECK(removed.error().code == Code::kAborted);
      REQUIRE(records->remove(records->by_id(record.id).value().value()));
    }
    CHECK(scene.with([&] { return scene.at(path); }).is_null());
  }
}

TEST_CASE("without an API server nothing is known of a record, and nothing guessed", "[nas records]") {
  SiteScene scene;
  SceneRecords records(scene, 50ms);
  NasRecord record = volume("pvc-1");
  scene.with([&] { scene.server->fault({.kind = FaultKind::kDrop, .times = -1}); });
  const auto is_unavailable = [](Code code) {
    return code == Code::kUnavailable || code == Code::kDeadlineExceeded;
  };
  CHECK(is_unavailable(records->by_id(record.id).error().code));
  CHECK(is_unavailable(records->by_name("pvc-1", false).error().code));
  CHECK(is_unavailable(records->put(record).error().code));
  CHECK(record.version.empty());
  scene.with([&] { scene.server->clear_faults(); });
  REQUIRE(records->put(record));
}

// What a server of a cluster with our definition leaves of it.
json kept_by_server(SiteScene& scene, const std::string& path, const json& object) {
  return scene.with([&] {
    const std::string at = path + "/" + std::string(object["metadata"]["name"]);
    scene.server->put(at, object);
    json kept = scene.at(at);
    kept["status"] = object.value("status", json::object());
    return kept;
  });
}

TEST_CASE("objects come back from the server as they were written", "[nas records]") {
  SiteScene scene;
  for (const NasRecord& record :
       {volume("pvc-1"), snapshot("Snap_1"), without_version(NasRecord{.id = "i", .name = "n"})}) {
    const json kept = kept_by_server(scene, kVolumesPath, encode_volume_object(record));
    const auto read = decode_volume_object(JsonObject(&kept, ""));
    REQUIRE(read);
    CHECK(without_version(read->record) == record);
  }
  SiteOrder order{.site = "hangzhou-1",
                  .attributes = {{"server", "10.0.0.5"}, {"path", "/exports"}},
                  .mount_options = {"noatime"}};
  order.order = {.verb = DirectoryVerb::kCopy,
                 .mounted_at = "/somewhere",
                 .directory = "team-a/pvc=1",
                 .snapshot = true,
                 .owner = "pvc-1",
                 .source = "pvc 0",
                 .from_snapshot = true,
                 .mode = 02750,
                 .stamp = "20261121T231500Z",
                 .holder = "h1"};
  const TaskStatus status{.holder = "edge-1",
                          .epoch = 3,
                          .renewals = 9,
                          .progress = "7 entries",
                          .state = TaskState::kFailed,
                          .answer = "archived",
                          .code = Code::kFailedPrecondition,
                          .message = "a file is in the way",
                          .sys_errno = 13};
  json document = encode_task("t-1", order);
  document["status"] = encode_task_status(status);
  const json kept = kept_by_server(scene, kTasksPath, document);
  const auto read = decode_task(JsonObject(&kept, ""));
  REQUIRE(read);
  CHECK(same_work(read->spec, order));
  CHECK(read->spec.order.stamp == order.order.stamp);
  CHECK(read->spec.order.mounted_at.empty());
  CHECK(read->spec.order.holder.empty());
  CHECK(read->status == status);
  SiteOrder other = order;
  other.order.stamp = "later";
  CHECK(same_work(order, other));
  other.order.owner = "pvc-2";
  CHECK_FALSE(same_work(order, other));
}

TEST_CASE("a record that cannot be read is asked for again, as its volume may be there", "[nas records]") {
  SiteScene scene;
  SceneRecords records(scene);
  NasRecord record = volume("pvc-1");
  json object = encode_volume_object(record);
  object["spec"]["kind"] = "cake";
  static_cast<void>(kept_by_server(scene, kVolumesPath, object));
  for (const Code code :
       {records->by_name("pvc-1", false).error().code, records->by_id(record.id).error().code}) {
    CHECK(code == Code::kAborted);
  }
  CHECK_THAT(records->by_name("pvc-1", false).error().message, Contains("pvc-1") && Contains("cake"));
}

TEST_CASE("an object that cannot be used is refused by member and value", "[nas records]") {
  struct Case {
    const char* name;
    const char* pointer;
    const char* value;
    const char* message;
  };
  const Case cases[] = {
      {"no site", "/spec/site", R"("")", "spec.site: '' names no site"},
      {"another verb", "/spec/order/verb", R"("eat")", "verb=eat"},
      {"another word", "/spec/order/colour", R"("blue")", "colour=blue"},
      {"a mode", "/spec/order/mode", R"("99")", "mode=99"},
      {"a number", "/spec/order/owner", "7", "spec.order.owner"},
      {"another state", "/status/state", R"("eaten")", "status.state: 'eaten' is neither"},
      {"another code", "/status/code", R"("EATEN")", "status.code: 'EATEN' is no code"},
      {"an epoch", "/status/epoch", "-1", "status.epoch"},
  };
  const SiteOrder order{
      .site = "a", .attributes = {{"server", "s:/x"}}, .order = {.directory = "d", .owner = "o"}};
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      json document = encode_task("t-1", order);
      document["metadata"]["uid"] = "u";
      REQUIRE(decode_task(JsonObject(&document, "")));
      document[json::json_pointer(c.pointer)] = json::parse(c.value);
      const auto read = decode_task(JsonObject(&document, ""));
      REQUIRE_FALSE(read);
      CHECK_THAT(read.error().message, Contains(c.message));
    }
  }
}

TEST_CASE("no two volumes, snapshots or directories have one object", "[nas records]") {
  std::set<std::string> names;
  const std::string longest(300, 'a');
  for (const std::string& name : {std::string("pvc-1"), std::string("PVC-1"), std::string("pvc.1"), longest,
                                  std::string(299, 'a') + "b"}) {
    names.insert(volume_object_name(name, false));
    names.insert(volume_object_name(name, true));
  }
  CHECK(names.size() == 10);
  for (const std::string& name : names) CHECK(name.size() <= 253);
  SiteOrder order{.site = "a", .attributes = {{"server", "s:/x"}}, .order = {.directory = "d"}};
  std::set<std::string> places{work_place(order).value()};
  order.order.snapshot = true;
  places.insert(work_place(order).value());
  order.site = "b";
  places.insert(work_place(order).value());
  order.attributes["server"] = "t:/x";
  places.insert(work_place(order).value());
  CHECK(places.size() == 4);
  CHECK(label_of(longest).size() <= 63);
}

}  // namespace
}  // namespace holdfast::nas::test
