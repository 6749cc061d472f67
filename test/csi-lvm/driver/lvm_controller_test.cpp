#include "csi-lvm/driver/lvm_controller.h"

#include <map>

#include "test/csi-lvm/volumes/fake_node.h"
#include "test/csi/driver_tests.h"

namespace holdfast::lvm {
namespace {

constexpr std::int64_t kMiB = 1 << 20;
constexpr const char* kKey = "kubernetes.io/hostname";

using csi::test::message;
using csi::test::refuses;

// The driver on node "edge-1" with the group "vg" of two disks, 100 extents of 4 MiB each.
struct Driver {
  Driver() {
    lvm.add_group("vg", {100, 100});
    REQUIRE(volumes.recover(Lvm::Patience{1000}).has_value());
  }

  static std::string volume_request(const std::string& name, std::int64_t bytes,
                                    const std::string& more = {}) {
    return "name: '" + name + "' capacity_range { required_bytes: " + std::to_string(bytes) +
           " } volume_capabilities { mount { fs_type: 'ext4' } access_mode { mode: SINGLE_NODE_WRITER } }" +
           " parameters { key: 'vgName' value: 'vg' } " + more;
  }
  Result<csi::v1::CreateVolumeResponse> create(const std::string& request) {
    csi::v1::CreateVolumeResponse response;
    HOLDFAST_CHECK(controller.create_volume(call, message<csi::v1::CreateVolumeRequest>(request), response));
    return response;
  }
  void make(const std::string& name) { REQUIRE(create(volume_request(name, kMiB)).has_value()); }
  csi::v1::CreateSnapshotResponse take(const std::string& name, const std::string& source) {
    csi::v1::CreateSnapshotResponse response;
    const std::string request = "name: '" + name + "' source_volume_id: '" + source + "'";
    REQUIRE(controller.create_snapshot(call, message<csi::v1::CreateSnapshotRequest>(request), response)
                .has_value());
    return response;
  }
  Result<csi::v1::ListVolumesResponse> list(const std::string& request) {
    csi::v1::ListVolumesResponse response;
    HOLDFAST_CHECK(controller.list_volumes(call, message<csi::v1::ListVolumesRequest>(request), response));
    return response;
  }
  csi::v1::GetCapacityResponse room(const std::string& request) {
    csi::v1::GetCapacityResponse response;
    REQUIRE(controller.capacity(call, message<csi::v1::GetCapacityRequest>(request), response).has_value());
    return response;
  }
  csi::test::PatientCall call;
  test::FakeLvm lvm;
  test::RememberingCleaner cleaner;
  test::RememberingCopier copier;
  holdfast::test::FakeClock clock;
  CapacityBook book{PoolLimits{}, {}};
  LocalVolumes volumes{lvm, book, cleaner, copier, clock, ""};
  LvmController controller{volumes, book, kKey, "edge-1"};
};

TEST_CASE_METHOD(Driver, "a volume is told with its size, its group and its node", "[lvm driver]") {
  const auto made =
      create(volume_request("pvc-1", 50 * kMiB, "parameters { key: 'mkfsOptions' value: '-m 0' }"));
  const csi::v1::Volume& volume = made->volume();
  CHECK(volume.volume_id() == "pvc-1");
  CHECK(volume.capacity_bytes() == 52 * kMiB);
  CHECK(volume.volume_context().at("vgName") == "vg");
  CHECK(volume.volume_context().at("mkfsOptions") == "-m 0");
  REQUIRE(volume.accessible_topology_size() == 1);
  CHECK(volume.accessible_topology(0).segments().at(kKey) == "edge-1");
}

TEST_CASE_METHOD(Driver, "a class's file system is told to the node that makes it", "[lvm driver]") {
  const auto made = create(
      "name: 'pvc-1' capacity_range { required_bytes: 400000000 } parameters { key: 'vgName' value: 'vg' } "
      "parameters { key: 'fsType' value: 'xfs' } "
      "volume_capabilities { access_mode { mode: SINGLE_NODE_WRITER } mount {} }");
  REQUIRE(made.has_value());
  CHECK(made->volume().volume_context().at("fsType") == "xfs");
  CHECK_FALSE(create(volume_request("pvc-2", kMiB))->volume().volume_context().contains("fsType"));
}

TEST_CASE_METHOD(Driver, "what a local volume cannot be is refused before anything is made", "[lvm driver]") {
  struct Case {
    const char* name;
    std::string more;
    Code code;
  };
  const Case cases[] = {
      {"written by many nodes",
       "volume_capabilities { mount {} access_mode { mode: MULTI_NODE_MULTI_WRITER } }",
       Code::kInvalidArgument},
      {"of another file system",
       "volume_capabilities { mount { fs_type: 'ntfs' } access_mode { mode: SINGLE_NODE_WRITER } }",
       Code::kInvalidArgument},
      {"with a parameter that is not known", "parameters { key: 'iops' value: '5' }", Code::kInvalidArgument},
      {"on another node",
       "accessibility_requirements { requisite { segments { key: 'kubernetes.io/hostname' value: 'edge-2' } "
       "} }",
       Code::kResourceExhausted},
      {"from a snapshot that is not there", "volume_content_source { snapshot { snapshot_id: 's' } }",
       Code::kNotFound},
      {"from nothing", "volume_content_source {}", Code::kInvalidArgument},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      refuses(create(volume_request("pvc-1", kMiB, c.more)), c.code);
      CHECK(list("")->entries().empty());
    }
  }
}

TEST_CASE_METHOD(Driver, "a volume larger than the disks goes elsewhere", "[lvm driver]") {
  refuses(create(volume_request("pvc-1", 1 << 30)), Code::kResourceExhausted);
}

TEST_CASE_METHOD(Driver, "a volume for this node among others is made here", "[lvm driver]") {
  const std::string places =
      "accessibility_requirements { requisite { segments { key: 'kubernetes.io/hostname' value: 'edge-2' } }"
      " requisite { segments { key: 'kubernetes.io/hostname' value: 'edge-1' } } }";
  CHECK(create(volume_request("pvc-1", kMiB, places)).has_value());
}

TEST_CASE_METHOD(Driver, "volumes are listed by pages, without snapshots", "[lvm driver]") {
  for (const char* name : {"pvc-3", "pvc-1", "pvc-2"}) make(name);
  take("snap-1", "pvc-1");
  CHECK(list("")->entries_size() == 3);
  const auto first = list("max_entries: 2");
  REQUIRE(first->entries_size() == 2);
  CHECK(first->entries(1).volume().volume_id() == "pvc-2");
  // The last of the page before goes meanwhile.
  REQUIRE(volumes.remove("pvc-2", Lvm::Patience{1000}).has_value());
  const auto second = list("max_entries: 2 starting_token: '" + first->next_token() + "'");
  REQUIRE(second->entries_size() == 1);
  CHECK(second->entries(0).volume().volume_id() == "pvc-3");
  CHECK(second->next_token().empty());
  refuses(list("starting_token: 'made up'"), Code::kAborted);
}

TEST_CASE_METHOD(Driver, "capacity is told by class, by node, and in all", "[lvm driver]") {
  const std::string of_group = "parameters { key: 'vgName' value: 'vg' } ";
  make("pvc-1");
  CHECK(room("").available_capacity() == 199 * 4 * kMiB);
  CHECK(room(of_group).maximum_volume_size().value() == 199 * 4 * kMiB);
  CHECK(room(of_group).minimum_volume_size().value() == 4 * kMiB);
  CHECK(room(of_group + "parameters { key: 'lvmType' value: 'striping' }").maximum_volume_size().value() ==
        198 * 4 * kMiB);
  CHECK(room("accessible_topology { segments { key: 'kubernetes.io/hostname' value: 'edge-2' } }")
            .available_capacity() == 0);
  CHECK(room("parameters { key: 'vgName' value: 'nope' }").available_capacity() == 0);
  CHECK(room("parameters { key: 'vgName' value: 'nope' }").maximum_volume_size().value() == 0);
  CHECK(room(of_group + "parameters { key: 'thinPool' value: 'nope' }").available_capacity() == 0);
  const std::string of_pool = of_group + "parameters { key: 'thinPool' value: 'pool' } ";
  CHECK(room(of_pool + "parameters { key: 'thinPoolSize' value: '100Mi' }").maximum_volume_size().value() ==
        200 * kMiB);
}

TEST_CASE_METHOD(Driver, "a snapshot is ready at once, and found by its name and by its volume",
                 "[lvm driver]") {
  make("pvc-1");
  make("pvc-2");
  const csi::v1::CreateSnapshotResponse taken = take("snap-1", "pvc-1");
  CHECK(taken.snapshot().ready_to_use());
  CHECK(taken.snapshot().source_volume_id() == "pvc-1");
  CHECK(taken.snapshot().creation_time().seconds() > 0);
  take("snap-2", "pvc-2");
  for (const auto& [asked, found] : std::map<std::string, int>{{"", 2},
                                                               {"snapshot_id: 'snap-1'", 1},
                                                               {"source_volume_id: 'pvc-2'", 1},
                                                               {"source_volume_id: 'pvc-3'", 0},
                                                               {"snapshot_id: 'pvc-1'", 0}}) {
    csi::v1::ListSnapshotsResponse response;
    REQUIRE(
        controller.list_snapshots(call, message<csi::v1::ListSnapshotsRequest>(asked), response).has_value());
    CHECK(response.entries_size() == found);
  }
}

TEST_CASE_METHOD(Driver, "deleting takes what it is called for, and what is not there is gone already",
                 "[lvm driver]") {
  make("pvc-1");
  take("snap-1", "pvc-1");
  const auto delete_volume = [this](const std::string& id) {
    csi::v1::DeleteVolumeRequest request;
    csi::v1::DeleteVolumeResponse response;
    request.set_volume_id(id);
    return controller.delete_volume(call, request, response);
  };
  const auto delete_snapshot = [this](const std::string& id) {
    csi::v1::DeleteSnapshotRequest request;
    csi::v1::DeleteSnapshotResponse response;
    request.set_snapshot_id(id);
    return controller.delete_snapshot(call, request, response);
  };
  refuses(delete_snapshot("pvc-1"), Code::kInvalidArgument);
  refuses(delete_volume("pvc-1"), Code::kFailedPrecondition);
  CHECK(delete_snapshot("snap-1").has_value());
  CHECK(delete_volume("pvc-1").has_value());
  CHECK(delete_volume("pvc-1").has_value());
  CHECK(delete_volume("not/a/name").has_value());
  CHECK(delete_snapshot("not/a/name").has_value());
}

TEST_CASE_METHOD(Driver, "a copy tells what it is a copy of, also when it is listed", "[lvm driver]") {
  make("pvc-1");
  take("snap-1", "pvc-1");
  const std::string of_volume = "volume_content_source { volume { volume_id: 'pvc-1' } }";
  const std::string of_snapshot = "volume_content_source { snapshot { snapshot_id: 'snap-1' } }";
  CHECK(create(volume_request("pvc-2", kMiB, of_volume)).error().code == Code::kOutOfRange);
  CHECK(
      create(volume_request("pvc-2", 4 * kMiB, of_volume))->volume().content_source().volume().volume_id() ==
      "pvc-1");
  REQUIRE(create(volume_request("pvc-3", 4 * kMiB, of_snapshot)).has_value());
  const auto listed = list("");
  REQUIRE(listed->entries_size() == 3);
  CHECK_FALSE(listed->entries(0).volume().has_content_source());
  CHECK(listed->entries(2).volume().content_source().snapshot().snapshot_id() == "snap-1");
  CHECK_FALSE(listed->entries(2).status().volume_condition().abnormal());
}

TEST_CASE_METHOD(Driver, "what is wrong with a volume is told by each call that can", "[lvm driver]") {
  make("pvc-1");
  take("snap-1", "pvc-1");
  lvm.change({"vg", "pvc-1"}, [](LogicalVolume& volume) { volume.partial = true; });
  lvm.change({"vg", "snap-1"}, [](LogicalVolume& volume) { volume.lost = true; });
  CHECK(list("")->entries(0).status().volume_condition().abnormal());
  csi::v1::ControllerGetVolumeResponse got;
  const auto of_volume = [](const std::string& id) {
    return message<csi::v1::ControllerGetVolumeRequest>("volume_id: '" + id + "'");
  };
  REQUIRE(controller.volume(call, of_volume("pvc-1"), got).has_value());
  CHECK(got.status().volume_condition().message().find("is missing") != std::string::npos);
  refuses(controller.volume(call, of_volume("snap-1"), got), Code::kNotFound);
  refuses(controller.volume(call, of_volume("snapshot-1/.."), got), Code::kNotFound);
  csi::v1::ControllerGetVolumeHealthResponse health;
  REQUIRE(controller
              .volume_health(call, message<csi::v1::ControllerGetVolumeHealthRequest>("volume_id: 'pvc-1'"),
                             health)
              .has_value());
  REQUIRE(health.volume_health().health_statuses_size() == 2);
  CHECK(health.volume_health().health_statuses(0).status() == csi::v1::INACCESSIBLE);
  CHECK(health.volume_health().health_statuses(1).reason() == "SnapshotLost");
  csi::v1::ControllerListVolumeHealthResponse all;
  REQUIRE(controller.list_volume_health(call, {}, all).has_value());
  CHECK(all.entries_size() == 1);
  csi::v1::ListSnapshotsResponse snapshots;
  REQUIRE(controller.list_snapshots(call, {}, snapshots).has_value());
  CHECK_FALSE(snapshots.entries(0).snapshot().ready_to_use());
}

TEST_CASE_METHOD(Driver, "names as long as CSI allows, and those that LVM reserves, are taken",
                 "[lvm driver]") {
  const std::string longest(128, 'a');
  const auto made = create(volume_request(longest, kMiB));
  REQUIRE(made.has_value());
  CHECK(made->volume().volume_id().size() <= 80);
  CHECK(create(volume_request(longest, kMiB))->volume().volume_id() == made->volume().volume_id());
  CHECK(create(volume_request(longest.substr(1) + "b", kMiB))->volume().volume_id() !=
        made->volume().volume_id());
  const std::string reserved = "snapshot-0f5f3d5a-6a11-4d7e-9a43-6b2c0e5e3a4b";
  const std::string id = take(reserved, made->volume().volume_id()).snapshot().snapshot_id();
  CHECK(id == "csi-" + reserved);
  CHECK(take(reserved, made->volume().volume_id()).snapshot().snapshot_id() == id);
}

TEST_CASE_METHOD(Driver, "what somebody else has done to a group is in its capacity", "[lvm driver]") {
  const std::string asked = "parameters { key: 'vgName' value: 'vg' }";
  CHECK(room(asked).available_capacity() == 800 * kMiB);
  const NewVolume theirs{.name = {"vg", "data"}, .size_bytes = 80 << 20, .pool = {}, .tags = {}};
  REQUIRE(lvm.create(theirs, Lvm::Patience{1000}).has_value());
  lvm.looks = 0;
  CHECK(room(asked).available_capacity() == 800 * kMiB);
  CHECK(lvm.looks == 0);
  clock.advance(std::chrono::seconds(1));
  CHECK(room(asked).available_capacity() == 720 * kMiB);
  CHECK(room("").available_capacity() == 720 * kMiB);
  CHECK(lvm.looks == 1);
}

TEST_CASE_METHOD(Driver, "a volume that grows needs its node only for a file system", "[lvm driver]") {
  make("pvc-1");
  for (const bool block : {false, true}) {
    csi::v1::ControllerExpandVolumeResponse response;
    const auto request = message<csi::v1::ControllerExpandVolumeRequest>(
        "volume_id: 'pvc-1' capacity_range { required_bytes: 9000000 } volume_capability { " +
        std::string(block ? "block" : "mount") + " {} access_mode { mode: SINGLE_NODE_WRITER } }");
    REQUIRE(controller.expand_volume(call, request, response).has_value());
    CHECK(response.capacity_bytes() == 12 * kMiB);
    CHECK(response.node_expansion_required() == !block);
  }
}

// Its clear device is made larger on the node.
TEST_CASE_METHOD(Driver, "an encrypted raw volume that grows needs its node", "[lvm driver]") {
  VolumeRequest wanted;
  wanted.name = "pvc-2";
  wanted.block = true;
  wanted.parameters = parse_parameters({{"vgName", "vg"}, {"encrypted", "true"}}, true).value();
  wanted.required_bytes = 8 * kMiB;
  REQUIRE(volumes.create(wanted, Lvm::Patience{1000}).has_value());
  csi::v1::ControllerExpandVolumeResponse response;
  const auto request = message<csi::v1::ControllerExpandVolumeRequest>(
      "volume_id: 'pvc-2' capacity_range { required_bytes: 12582912 } volume_capability { block {} "
      "access_mode { mode: SINGLE_NODE_WRITER } }");
  REQUIRE(controller.expand_volume(call, request, response).has_value());
  CHECK(response.node_expansion_required());
}

TEST_CASE_METHOD(Driver, "capabilities are confirmed, or it is said which cannot be", "[lvm driver]") {
  make("pvc-1");
  for (const bool fits : {true, false}) {
    csi::v1::ValidateVolumeCapabilitiesResponse response;
    const auto request = message<csi::v1::ValidateVolumeCapabilitiesRequest>(
        "volume_id: 'pvc-1' volume_capabilities { mount {} access_mode { mode: " +
        std::string(fits ? "SINGLE_NODE_MULTI_WRITER" : "MULTI_NODE_READER_ONLY") + " } }");
    REQUIRE(controller.validate_capabilities(call, request, response).has_value());
    CHECK(response.has_confirmed() == fits);
    CHECK(response.message().empty() == fits);
  }
  csi::v1::ValidateVolumeCapabilitiesResponse raw;
  const auto as_raw = message<csi::v1::ValidateVolumeCapabilitiesRequest>(
      "volume_id: 'pvc-1' volume_capabilities { block {} access_mode { mode: SINGLE_NODE_WRITER } }");
  REQUIRE(controller.validate_capabilities(call, as_raw, raw).has_value());
  CHECK_FALSE(raw.has_confirmed());
  CHECK(raw.message().find("volumeMode Block") != std::string::npos);
  csi::v1::ValidateVolumeCapabilitiesResponse response;
  refuses(controller.validate_capabilities(
              call, message<csi::v1::ValidateVolumeCapabilitiesRequest>("volume_id: 'pvc-9'"), response),
          Code::kNotFound);
}

}  // namespace
}  // namespace holdfast::lvm
