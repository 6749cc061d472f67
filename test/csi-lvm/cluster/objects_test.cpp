// The two objects, and the definitions that a server keeps them by.
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "common/yaml/yaml.h"
#include "csi-lvm/cluster/node_storage.h"
#include "csi-lvm/cluster/storage_names.h"
#include "csi-lvm/cluster/volume_object.h"
#include "csi-lvm/volumes/capacity.h"
#include "test/catch.h"
#include "test/kube_server/schema.h"

namespace holdfast::lvm {
namespace {

using Catch::Contains;
using nlohmann::json;

LogicalVolumeObject full_volume() {
  LogicalVolumeObject out;
  out.id = {.name = object_name("csi-snapshot-1", "edge-1"),
            .name_space = "",
            .uid = "u-1",
            .resource_version = "7"};
  out.generation = 3;
  out.deleting = true;
  out.finalizers = {kVolumeFinalizer};
  out.spec = {.kind = VolumeKind::kSnapshot,
              .node = "edge-1",
              .volume_name = "csi-snapshot-1",
              .asked_name = "snapshot-1",
              .parameters = {{"vgName", "vg"}, {"csi.storage.k8s.io/fstype", "xfs"}},
              .required_bytes = 4194304,
              .limit_bytes = 8388608,
              .block = true,
              .source = "pvc-0",
              .source_kind = VolumeKind::kSnapshot,
              .reclaim = true};
  out.status = {.state = VolumeState::kReady,
                .group = "vg",
                .size_bytes = 4194304,
                .taken = 1700000000,
                .published = true,
                .code = Code::kResourceExhausted,
                .message = "no room",
                .abnormal = "a disk is missing",
                .observed_generation = 3};
  return out;
}

json document_of(const LogicalVolumeObject& object) {
  json out = encode_logical_volume(object.spec);
  out["metadata"]["uid"] = object.id.uid;
  out["metadata"]["resourceVersion"] = object.id.resource_version;
  out["metadata"]["generation"] = object.generation;
  if (object.deleting) out["metadata"]["deletionTimestamp"] = "2026-01-02T03:04:05Z";
  out["status"] = encode_status(object.status);
  return out;
}

NodeStorageObject full_node() {
  GroupReport group{.name = "vg",
                    .uuid = "u",
                    .extent_bytes = 4 << 20,
                    .size_bytes = 200 << 20,
                    .free_bytes = 100 << 20,
                    .missing_disks = 1,
                    .spare_bytes = 8 << 20,
                    .disk_free_extents = {20, 5},
                    .largest_bytes = 92 << 20,
                    .largest_striped_bytes = 40 << 20,
                    .volumes = {{"pvc-1", 4 << 20}},
                    .pools = {},
                    .metadata = "# LVM's own words\n"};
  group.pools.push_back({.name = "pool",
                         .size_bytes = 40 << 20,
                         .pretended_bytes = 60 << 20,
                         .data_percent = 12.5,
                         .metadata_percent = 3.0});
  NodeStorageObject out;
  out.id.name = "edge-1";
  out.topology = {{"kubernetes.io/hostname", "edge-1.example"}};
  out.status = {.heartbeat_time = "2026-01-02T03:04:05Z",
                .groups = {group},
                .orphans = {{.group = "vg", .volume = "pvc-9", .size_bytes = 4 << 20}},
                .orphan_count = 1,
                .trouble = "LVM does not answer"};
  return out;
}

json definition(const std::string& plural) {
  std::ifstream file(std::string(HOLDFAST_MANIFESTS "/base/csi-lvm/") + plural + ".yaml");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return parse_yaml(text).value().front();
}

// What the server of a cluster with our definition leaves of it.
json kept_by_server(const std::string& plural, json object) {
  const json schema = definition(plural)["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
  const auto wrong = holdfast::test::fit_to_schema(object, schema);
  INFO((wrong ? wrong->field + " is " + wrong->found + ", wanted " + wrong->wanted : std::string()));
  REQUIRE_FALSE(wrong);
  return object;
}

// As a merge patch that is applied to nothing.
json patched(json object) {
  json status = json::object();
  status.merge_patch(object["status"]);
  object["status"] = std::move(status);
  return object;
}

TEST_CASE("a LogicalVolume comes back from the server as it was written", "[lvm cluster]") {
  LogicalVolumeObject bare;
  bare.id.name = object_name("pvc-2", "edge-2");
  bare.finalizers = {kVolumeFinalizer};
  bare.spec.node = "edge-2";
  bare.spec.volume_name = "pvc-2";
  for (const LogicalVolumeObject& object : {full_volume(), bare}) {
    const json kept = kept_by_server(kLogicalVolumePlural, patched(document_of(object)));
    const auto read = decode_logical_volume(JsonObject(&kept, ""));
    REQUIRE(read.has_value());
    CHECK(*read == object);
  }
}

TEST_CASE("a NodeStorage comes back from the server as it was written", "[lvm cluster]") {
  NodeStorageObject bare;
  bare.id.name = "edge-2";
  for (const NodeStorageObject& object : {full_node(), bare}) {
    json document = encode_node_storage(object.id.name, object.topology);
    document["status"] = encode_status(object.status);
    const json kept = kept_by_server(kNodeStoragePlural, patched(document));
    const auto read = decode_node_storage(JsonObject(&kept, ""));
    REQUIRE(read.has_value());
    CHECK(*read == object);
  }
}

TEST_CASE("an object that cannot be used is refused by member and value", "[lvm cluster]") {
  struct Case {
    const char* name;
    const char* pointer;
    const char* value;
    const char* message;
  };
  const Case cases[] = {
      {"no node", "/spec/node", R"("")", "spec.node: '' names no node"},
      {"a name that is no LV's", "/spec/volumeName", R"("a/b")", "spec.volumeName: 'a/b' is no name"},
      {"an option for a name", "/spec/volumeName", R"("-y")", "spec.volumeName: '-y' is no name"},
      {"a name that makes another", "/spec/askedName", R"("pvc-2")",
       "spec.askedName: 'pvc-2' is not what makes the name csi-snapshot-1"},
      {"another kind", "/spec/kind", R"("pool")", "spec.kind: 'pool' is neither volume nor snapshot"},
      {"a parameter that is no text", "/spec/parameters/vgName", "7", "spec.parameters.vgName"},
      {"less than nothing", "/spec/requiredBytes", "-1", "spec.requiredBytes: '-1'"},
      {"an unknown state", "/status/state", R"("done")", "status.state: 'done' is neither ready nor refused"},
      {"an unknown code", "/status/code", R"("E2BIG")", "status.code: 'E2BIG' is no code of gRPC"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      json document = document_of(full_volume());
      document[json::json_pointer(c.pointer)] = json::parse(c.value);
      const auto read = decode_logical_volume(JsonObject(&document, ""));
      REQUIRE_FALSE(read.has_value());
      CHECK(read.error().code == Code::kInvalidArgument);
      CHECK_THAT(read.error().message, Contains(c.message));
    }
  }
}

TEST_CASE("an object's name is one that a server takes, and no two volumes or nodes share one",
          "[lvm cluster]") {
  CHECK(object_name("pvc-1", "edge-1") == "pvc-1." + node_hash("edge-1"));
  CHECK(object_name("pvc-1", "edge-1") != object_name("pvc-1", "edge-2"));
  std::set<std::string> names;
  for (const std::string& volume : {std::string("Pvc-1"), std::string("pvc_1"), std::string("a.b"),
                                    std::string("v+"), std::string(127, 'a'), std::string("pvc-")}) {
    const std::string name = object_name(volume, std::string(253, 'n'));
    INFO(name);
    CHECK(name.size() <= 253);
    CHECK(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.") == std::string::npos);
    CHECK(names.insert(name).second);
  }
}

TEST_CASE("figures of LVM make the same book on the controller's side", "[lvm cluster]") {
  VolumeGroup group;
  group.name = "vg";
  group.extent_bytes = 4 << 20;
  group.disks.resize(2);
  group.disks[0].free_extents = 20;
  group.disks[1].free_extents = 9;
  LogicalVolume pool;
  pool.name = "pool";
  pool.layout = Layout::kThinPool;
  pool.size_bytes = std::uint64_t{100} << 20;
  pool.data_percent = 10;
  pool.metadata_percent = 10;
  LogicalVolume thin;
  thin.name = "thin-1";
  thin.layout = Layout::kThin;
  thin.pool = "pool";
  thin.size_bytes = std::uint64_t{60} << 20;
  group.volumes = {pool, thin};
  Inventory inventory;
  inventory.groups = {group};
  const std::map<std::string, std::uint64_t> spare{{"vg", std::uint64_t{8} << 20}};
  CapacityBook here(PoolLimits{}, spare);
  here.update(inventory);
  const std::vector<GroupReport> told = report_groups(inventory, spare);
  CapacityBook there(PoolLimits{}, spare);
  there.update(inventory_of(told));
  struct Case {
    std::uint32_t stripes;
    const char* pool;
  };
  for (const Case& c : {Case{1, ""}, Case{2, ""}, Case{0, ""}, Case{1, "pool"}}) {
    INFO(c.stripes << " " << c.pool);
    const Capacity ours = here.capacity("vg", c.stripes, c.pool).value();
    const Capacity theirs = there.capacity("vg", c.stripes, c.pool).value();
    CHECK(ours.available_bytes == theirs.available_bytes);
    CHECK(ours.largest_bytes == theirs.largest_bytes);
    CHECK(ours.largest_bytes > 0);
  }
  REQUIRE(told.size() == 1);
  CHECK(told[0].largest_bytes == (std::uint64_t{27} * 4) << 20);
  CHECK(told[0].largest_striped_bytes == (std::uint64_t{18} * 4) << 20);
  CHECK(told[0].volumes == std::map<std::string, std::uint64_t>{{"thin-1", std::uint64_t{60} << 20}});
}

}  // namespace
}  // namespace holdfast::lvm
