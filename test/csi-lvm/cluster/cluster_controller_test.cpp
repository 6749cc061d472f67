// CSI's calls in a cluster, from other threads, and what the scheduler is told.
#include "csi-lvm/cluster/cluster_controller.h"

#include "common/csi/proto/csi.pb.h"
#include "csi-lvm/cluster/volume_work.h"
#include "test/catch.h"
#include "test/csi-lvm/cluster/cluster_driver.h"
#include "test/kube_server/role_rules.h"

namespace holdfast::lvm::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

TEST_CASE_METHOD(Driver, "CSI's calls make, tell and remove a volume on the node that is asked for",
                 "[lvm cluster]") {
  const std::string where = "accessibility_requirements { requisite { " + at_node("edge-1") +
                            "} requisite { " + at_node("edge-2") + "} preferred { " + at_node("edge-2") +
                            "} }";
  const auto made = create(volume_request("pvc-1", 50 * kMiB,
                                          where + " parameters { key: 'mkfsOptions' value: '-m 0' }"
                                                  " parameters { key: 'fsType' value: 'ext3' }"));
  REQUIRE(made.has_value());
  CHECK(made->volume_id() == "pvc-1");
  CHECK(made->capacity_bytes() == 52 * kMiB);
  CHECK(made->volume_context().at("vgName") == "vg");
  CHECK(made->volume_context().at("mkfsOptions") == "-m 0");
  CHECK(made->volume_context().at("fsType") == "ext3");
  REQUIRE(made->accessible_topology_size() == 1);
  CHECK(made->accessible_topology(0).segments().at(kTopologyKey) == "edge-2");
  CHECK(two.volume("pvc-1") != nullptr);
  REQUIRE(create(volume_request("pvc-2", kMiB)).has_value());

  const auto first = list("max_entries: 1");
  REQUIRE(first.entries_size() == 1);
  CHECK(first.entries(0).volume().volume_id() == "pvc-1");
  CHECK(list("starting_token: '" + first.next_token() + "'").entries(0).volume().volume_id() == "pvc-2");
  const auto got = get("pvc-1");
  REQUIRE(got.has_value());
  CHECK_FALSE(got->status().volume_condition().abnormal());
  CHECK(get("pvc-3").error().code == Code::kNotFound);

  csi::v1::ControllerExpandVolumeResponse grown;
  const auto more = message<csi::v1::ControllerExpandVolumeRequest>(
      "volume_id: 'pvc-1' capacity_range { required_bytes: 62914560 }");
  REQUIRE(wait_for([&] { return driver.expand_volume(call, more, grown); }).has_value());
  CHECK(grown.capacity_bytes() == 60 * kMiB);
  CHECK(grown.node_expansion_required());
  // A raw one needs its node when it is encrypted: its clear device has a size of its own.
  for (const char* encrypted : {"false", "true"}) {
    const std::string id = std::string("raw-") + encrypted;
    REQUIRE(create("name: '" + id + "' capacity_range { required_bytes: 8388608 } " +
                   "parameters { key: 'vgName' value: 'vg' } parameters { key: 'encrypted' value: '" +
                   encrypted +
                   "' } volume_capabilities { block {} access_mode { mode: SINGLE_NODE_WRITER } }")
                .has_value());
    const auto raw = message<csi::v1::ControllerExpandVolumeRequest>(
        "volume_id: '" + id + "' capacity_range { required_bytes: 16777216 } " +
        "volume_capability { block {} access_mode { mode: SINGLE_NODE_WRITER } }");
    REQUIRE(wait_for([&] { return driver.expand_volume(call, raw, grown); }).has_value());
    CHECK(grown.node_expansion_required() == (std::string(encrypted) == "true"));
    CHECK(remove(id).has_value());
  }

  CHECK(remove("pvc-1").has_value());
  CHECK(two.volume("pvc-1") == nullptr);
  CHECK(remove("pvc-1").has_value());
}

TEST_CASE_METHOD(Driver, "two names of which LVM's rules make one are no volume for both", "[lvm cluster]") {
  const std::string at_one = "accessibility_requirements { requisite { " + at_node("edge-1") + "} }";
  const std::string at_two = "accessibility_requirements { requisite { " + at_node("edge-2") + "} }";
  for (const auto& [first, second] :
       {std::pair("snapshot-1", "csi-snapshot-1"), std::pair("csi-snapshot-2", "snapshot-2")}) {
    for (int again = 0; again < 2; ++again) {
      const auto made = create(volume_request(first, kMiB, at_one));
      REQUIRE(made.has_value());
      CHECK(made->volume_id().starts_with("csi-snapshot-"));
    }
    for (const std::string& where : {at_one, at_two}) {
      const auto other = create(volume_request(second, kMiB, where));
      REQUIRE_FALSE(other.has_value());
      CHECK(other.error().code == Code::kAlreadyExists);
    }
  }
  CHECK(one.volume("csi-snapshot-1")->tag_value("csi.name") == "snapshot-1");
  CHECK(one.volume("csi-snapshot-2")->tag_value("csi.name").empty());
}

TEST_CASE_METHOD(Driver, "what cannot be in a cluster is refused with the code that sidecars need",
                 "[lvm cluster]") {
  struct Case {
    const char* name;
    std::string request;
    Code code;
  };
  const Case cases[] = {
      {"at a place without us",
       volume_request("pvc-1", kMiB,
                      "accessibility_requirements { requisite { " + at_node("cloud-1") + "} }"),
       Code::kResourceExhausted},
      {"larger than any node", volume_request("pvc-1", 900 * kMiB), Code::kResourceExhausted},
      {"of a class that is misspelt", volume_request("pvc-1", kMiB, "parameters { key: 'iops' value: '5' }"),
       Code::kInvalidArgument},
      {"from a volume that is not there",
       volume_request("pvc-1", kMiB, "volume_content_source { volume { volume_id: 'pvc-0' } }"),
       Code::kNotFound},
      {"from a snapshot that is not there",
       volume_request("pvc-1", kMiB, "volume_content_source { snapshot { snapshot_id: 'snap-0' } }"),
       Code::kNotFound},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const auto made = create(c.request);
      REQUIRE_FALSE(made.has_value());
      CHECK(made.error().code == c.code);
      CHECK(count_requests("create logicalvolumes") == 0);
    }
  }
}

TEST_CASE_METHOD(Driver, "a name that LVM does not take becomes another, by which the volume is known",
                 "[lvm cluster]") {
  for (const char* name : {"snapshot-1", "-y", "a volume"}) {
    CAPTURE(name);
    const auto made = create(volume_request(name, 8 * kMiB));
    REQUIRE(made.has_value());
    const std::string id = made->volume_id();
    CHECK(id == lv_name_of(name));
    CHECK(create(volume_request(name, 8 * kMiB))->volume_id() == id);
    CHECK(get(id).has_value());
    CHECK(remove(id).has_value());
    CHECK(one.volume(id) == nullptr);
    CHECK(two.volume(id) == nullptr);
  }
  // As the snapshotter names them.
  REQUIRE(create(volume_request("pvc-1", 8 * kMiB)).has_value());
  csi::v1::CreateSnapshotResponse taken;
  const auto wanted = message<csi::v1::CreateSnapshotRequest>("name: 'snapshot-2' source_volume_id: 'pvc-1'");
  REQUIRE(wait_for([&] { return driver.create_snapshot(call, wanted, taken); }).has_value());
  CHECK(taken.snapshot().snapshot_id() == "csi-snapshot-2");
}

TEST_CASE_METHOD(Driver, "a volume is made from another or from a snapshot on the node that has it",
                 "[lvm cluster]") {
  const std::string at_two = "accessibility_requirements { requisite { " + at_node("edge-2") + "} }";
  REQUIRE(create(volume_request("pvc-1", 8 * kMiB, at_two)).has_value());
  csi::v1::CreateSnapshotResponse taken;
  const auto wanted = message<csi::v1::CreateSnapshotRequest>("name: 'snap-1' source_volume_id: 'pvc-1'");
  REQUIRE(wait_for([&] { return driver.create_snapshot(call, wanted, taken); }).has_value());
  struct Case {
    const char* name;
    std::string source;
    bool snapshot;
  };
  const Case cases[] = {
      {"pvc-clone", "volume_content_source { volume { volume_id: 'pvc-1' } }", false},
      {"pvc-restored", "volume_content_source { snapshot { snapshot_id: 'snap-1' } }", true},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    for (int again = 0; again < 2; ++again) {
      const auto made = create(volume_request(c.name, 12 * kMiB, c.source));
      REQUIRE(made.has_value());
      CHECK(made->capacity_bytes() == 12 * kMiB);
      CHECK(made->accessible_topology(0).segments().at(kTopologyKey) == "edge-2");
      CHECK(made->content_source().has_snapshot() == c.snapshot);
    }
    CHECK(two.volume(c.name) != nullptr);
    CHECK(one.volume(c.name) == nullptr);
    const auto of_none = create(volume_request(c.name, 12 * kMiB));
    CHECK(of_none.error().code == Code::kAlreadyExists);
  }
  const auto elsewhere = create(volume_request(
      "pvc-2", 8 * kMiB,
      cases[0].source + "accessibility_requirements { requisite { " + at_node("edge-1") + "} }"));
  CHECK(elsewhere.error().code == Code::kResourceExhausted);
}

TEST_CASE_METHOD(Driver,
                 "the roles of our manifests allow all that is asked of the API server, and little else",
                 "[lvm cluster]") {
  turn_until([this] { return mode.leads() && count_told() == 5; });
  REQUIRE(create(volume_request("pvc-1", 8 * kMiB)).has_value());
  CHECK(create(volume_request("pvc-2", 900 * kMiB)).error().code == Code::kResourceExhausted);
  REQUIRE(remove("pvc-1").has_value());
  server.remove(std::string(kClasses) + "striped");
  turn_until([this] { return count_told() == 3; });
  bool stopped = false;
  mode.stop([&stopped] { stopped = true; });
  turn_until([&] { return stopped; });
  const std::string manifests = HOLDFAST_MANIFESTS "/base/csi-lvm/";
  const auto compare = [&](const std::string& workload, const std::string& agent,
                           const std::vector<std::string>& other) {
    INFO(agent);
    // the sidecars' are theirs
    const auto granted =
        holdfast::test::without(holdfast::test::Roles::in(HOLDFAST_MANIFESTS "/base")
                                    .bound_to(holdfast::test::account_in(manifests + workload)),
                                {"ClusterRole/csi-lvm-sidecars", "Role/csi-lvm-sidecars"});
    const auto asked = server.asked_by(agent);
    CHECK(holdfast::test::refused(granted, asked) == std::vector<std::string>{});
    CHECK(holdfast::test::unasked(granted, asked) == other);
    for (const char* refused :
         {"patch nodes/a", "delete nodestorages.storage.holdfast.dev/a", "get namespaces/default",
          "list secrets", "update logicalvolumes.storage.holdfast.dev/a",
          "delete leases.coordination.k8s.io/a in kube-system"}) {
      INFO(refused);
      CHECK_FALSE(holdfast::test::allows(granted, refused));
    }
  };
  compare("controller.yaml", kControllerAgent, {});
  // the namespace is read by the program (node_cluster_test.cpp)
  compare("node.yaml", kNodeAgent, {"get namespaces/kube-system"});
}

TEST_CASE_METHOD(Driver,
                 "at the end of the program calls that wait for a node are answered, and the lease is freed",
                 "[lvm cluster]") {
  const std::string lease = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/csi-lvm-controller";
  turn_until([this] { return mode.leads(); });
  one.die();
  two.die();
  csi::v1::CreateVolumeResponse response;
  const auto wanted = message<csi::v1::CreateVolumeRequest>(volume_request("pvc-1", kMiB));
  bool told = false;
  bool stopped = false;
  EventLoop::Timer soon;
  const auto stop_when_asked = [&] {
    if (told || count_requests("create logicalvolumes") == 0) return;
    told = true;
    soon = loop->after({}, [&] { mode.stop([&] { stopped = true; }); });
  };
  mode.on_change(stop_when_asked);
  const Status ended = wait_for([&] { return driver.create_volume(call, wanted, response); });
  REQUIRE_FALSE(ended.has_value());
  CHECK(ended.error().code == Code::kUnavailable);
  turn_until([&] { return stopped; });
  CHECK(at(lease)["spec"]["holderIdentity"] == "");
  CHECK_FALSE(mode.leads());
  CHECK(wait_for([&] { return driver.create_volume(call, wanted, response); }).error().code ==
        Code::kUnavailable);
}

TEST_CASE_METHOD(Driver, "snapshots are taken, told and deleted beside their volume", "[lvm cluster]") {
  REQUIRE(create(volume_request("pvc-1", 8 * kMiB)).has_value());
  csi::v1::CreateSnapshotResponse taken;
  auto wanted = message<csi::v1::CreateSnapshotRequest>("name: 'snap-1' source_volume_id: 'pvc-1'");
  const auto take = [&] { return wait_for([&] { return driver.create_snapshot(call, wanted, taken); }); };
  REQUIRE(take().has_value());
  CHECK(taken.snapshot().source_volume_id() == "pvc-1");
  CHECK(taken.snapshot().ready_to_use());
  CHECK(take().has_value());
  wanted.set_source_volume_id("pvc-9");
  CHECK(take().error().code == Code::kAlreadyExists);
  wanted.set_name("snap-2");
  CHECK(take().error().code == Code::kNotFound);
  csi::v1::ListSnapshotsResponse all;
  const csi::v1::ListSnapshotsRequest every;
  REQUIRE(wait_for([&] { return driver.list_snapshots(call, every, all); }).has_value());
  CHECK(all.entries_size() == 1);
  csi::v1::DeleteSnapshotResponse gone;
  const auto which = message<csi::v1::DeleteSnapshotRequest>("snapshot_id: 'snap-1'");
  CHECK(wait_for([&] { return driver.delete_snapshot(call, which, gone); }).has_value());
  CHECK(remove("pvc-1").has_value());
}

TEST_CASE_METHOD(Driver, "capacity is that of the place and class, and falls by what was asked for",
                 "[lvm cluster]") {
  const std::string here = "accessible_topology { " + at_node("edge-1") + "}";
  const std::string of_class = "parameters { key: 'vgName' value: 'vg' } ";
  CHECK(room(here).available_capacity() == 800 * kMiB);
  CHECK(room("").available_capacity() == 1600 * kMiB);
  CHECK(room(of_class + here).maximum_volume_size().value() == 800 * kMiB);
  REQUIRE(create(volume_request("pvc-1", 40 * kMiB,
                                "accessibility_requirements { requisite { " + at_node("edge-1") + "} }"))
              .has_value());
  CHECK(room(of_class + here).available_capacity() == 760 * kMiB);
  CHECK(room(of_class + "parameters { key: 'lvmType' value: 'striping' } " + here)
            .maximum_volume_size()
            .value() == 720 * kMiB);
  CHECK(room("accessible_topology { " + at_node("cloud-1") + "}").available_capacity() == 0);
}

TEST_CASE_METHOD(Driver, "the scheduler is told each node's room for each class, and anew when that changes",
                 "[lvm cluster]") {
  turn_until([this] { return count_told() == 5; });  // two classes on two nodes, and another's
  turn_until([this] { return told("local", "edge-1")["capacity"] == std::to_string(800 * kMiB); });
  turn_until([this] { return told("striped", "edge-1")["maximumVolumeSize"] == std::to_string(800 * kMiB); });
  CHECK(told("local", "edge-1")["metadata"]["labels"]["csi.storage.k8s.io/managed-by"] == "csi-lvm");
  REQUIRE(one.lvm.create({.name = {"vg", "big"}, .size_bytes = 400 * kMiB, .pool = {}, .tags = {}}, 1s)
              .has_value());
  one.agent->look_soon();
  turn_until([this] { return told("local", "edge-1")["capacity"] == std::to_string(400 * kMiB); });
  SECTION("a node that dies gives nothing, and one that is forgotten is not told of") {
    two.die();
    turn_until([this] { return told("local", "edge-2")["capacity"] == "0"; });
    server.remove(std::string(kStoragesPath) + "edge-2");
    turn_until([this] { return count_told() == 3; });
  }
  SECTION("a class that is deleted is not told of") {
    server.remove(std::string(kClasses) + "striped");
    turn_until([this] { return count_told() == 3; });
    CHECK(told("striped", "edge-1").is_null());
  }
  SECTION("what somebody changes is put right") {
    const std::string name = told("local", "edge-1")["metadata"]["name"];
    server.put(std::string(kCapacities) + "/" + name, {{"capacity", "1"}});
    turn_until([this] { return told("local", "edge-1")["capacity"] == std::to_string(400 * kMiB); });
  }
  CHECK(server.find(std::string(kCapacities) + "/theirs") != nullptr);
}

TEST_CASE_METHOD(Driver, "the condition of a volume is that of its node and of its LV", "[lvm cluster]") {
  REQUIRE(create(volume_request("pvc-1", 8 * kMiB,
                                "accessibility_requirements { requisite { " + at_node("edge-1") + "} }"))
              .has_value());
  SECTION("its node is silent") {
    one.die();
    turn_until([this] { return mode.state().life("edge-1").stale; });
    CHECK(get("pvc-1")->status().volume_condition().abnormal());
  }
  SECTION("LVM has lost it") {
    REQUIRE(one.lvm.remove({"vg", "pvc-1"}, 1s).has_value());
    one.agent->look_soon();
    turn_until([this] { return volume_object("pvc-1", "edge-1")["status"].contains("abnormal"); });
    turn_until([this] { return get("pvc-1")->status().volume_condition().abnormal(); });
    CHECK(get("pvc-1")->status().volume_condition().message() == "LVM does not have it");
  }
}

TEST_CASE("an object tells what ails its volume, anew only when that is something else", "[lvm cluster]") {
  LogicalVolumeObject object;
  object.spec.volume_name = "pvc-1";
  object.status.state = VolumeState::kReady;
  object.status.group = "vg";
  LogicalVolume pool;
  pool.name = "pool0";
  pool.layout = Layout::kThinPool;
  pool.metadata_percent = 10;
  LogicalVolume volume;
  volume.name = "pvc-1";
  volume.layout = Layout::kThin;
  volume.pool = "pool0";
  Inventory now;
  now.groups.resize(1);
  now.groups[0].name = "vg";
  const auto abnormal = [&](double percent) {
    pool.data_percent = percent;
    now.groups[0].volumes = {pool, volume};
    object.status = observe(object, now, PoolLimits{});
    return object.status.abnormal;
  };
  CHECK(abnormal(50).empty());
  const std::string nearly = abnormal(93);
  CHECK(nearly.starts_with("PoolNearlyFull: "));
  CHECK(abnormal(94) == nearly);
  CHECK(abnormal(100).starts_with("PoolFull: "));
  CHECK(abnormal(50).empty());
}

// So many threads may keep a node from telling that it lives.
struct PatientDriver : Driver {
  PatientDriver() : Driver(60s) {}
};

TEST_CASE_METHOD(PatientDriver, "calls on many threads at once are all answered", "[lvm cluster]") {
  constexpr int kCalls = 24;
  std::atomic<int> made = 0;
  std::atomic<int> ended = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < kCalls; ++i) {
    threads.emplace_back([this, i, &made, &ended] {
      csi::v1::CreateVolumeResponse response;
      csi::v1::CreateVolumeRequest request;
      google::protobuf::TextFormat::ParseFromString(volume_request("pvc-" + std::to_string(i), kMiB),
                                                    &request);
      if (driver.create_volume(call, request, response)) ++made;
      ++ended;
    });
  }
  turn_until([&] { return ended == kCalls; });
  CHECK(made == kCalls);
}

}  // namespace
}  // namespace holdfast::lvm::test
