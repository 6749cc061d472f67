#include "csi-disk/controller/disk_controller.h"

#include <set>

#include "common/csi/proto/csi.pb.h"
#include "test/catch.h"
#include "test/csi-disk/controller/disk_scene.h"

namespace holdfast::disk {
namespace {

using csi::v1::VolumeCapability;

class PatientCall final : public csi::Call {
 public:
  [[nodiscard]] bool cancelled() const override { return false; }
  [[nodiscard]] std::chrono::nanoseconds time_left() const override { return kPatience; }
};

struct ControllerScene : DiskScene {
  csi::v1::CreateVolumeRequest request(const std::string& name) const {
    csi::v1::CreateVolumeRequest request;
    request.set_name(name);
    request.mutable_capacity_range()->set_required_bytes(20 * kGiB);
    (*request.mutable_parameters())["type"] = "cloud_essd";
    VolumeCapability& capability = *request.add_volume_capabilities();
    capability.mutable_mount();
    capability.mutable_access_mode()->set_mode(VolumeCapability::AccessMode::SINGLE_NODE_WRITER);
    return request;
  }
  Result<csi::v1::Volume> make(const csi::v1::CreateVolumeRequest& request) {
    csi::v1::CreateVolumeResponse response;
    HOLDFAST_CHECK(controller().create_volume(call, request, response));
    return response.volume();
  }
  DiskController controller() { return DiskController(*volumes); }
  PatientCall call;
};

template <class T>
void refuses(const Result<T>& result, Code code, const std::string& told) {
  REQUIRE_FALSE(result.has_value());
  INFO(result.error().message);
  CHECK(to_string(result.error().code) == to_string(code));
  CHECK_THAT(result.error().message, Catch::Contains(told));
}

std::set<std::string> advertised(DiskController controller) {
  csi::v1::ControllerGetCapabilitiesResponse response;
  REQUIRE(controller.capabilities(PatientCall{}, {}, response));
  std::set<std::string> names;
  for (const auto& each : response.capabilities())
    names.insert(csi::v1::ControllerServiceCapability::RPC::Type_Name(each.rpc().type()));
  CHECK(names.size() == static_cast<std::size_t>(response.capabilities_size()));
  return names;
}

TEST_CASE_METHOD(ControllerScene, "it tells what it can do, as far as its cloud can", "[disk controller]") {
  CHECK(advertised(controller()) ==
        std::set<std::string>{"CREATE_DELETE_VOLUME", "PUBLISH_UNPUBLISH_VOLUME", "LIST_VOLUMES",
                              "LIST_VOLUMES_PUBLISHED_NODES", "GET_CAPACITY", "CREATE_DELETE_SNAPSHOT",
                              "LIST_SNAPSHOTS", "CLONE_VOLUME", "EXPAND_VOLUME", "MODIFY_VOLUME",
                              "GET_VOLUME", "VOLUME_CONDITION", "SINGLE_NODE_MULTI_WRITER"});
  cloud.able = {.create = false};
  CHECK(advertised(controller()) == std::set<std::string>{"PUBLISH_UNPUBLISH_VOLUME", "LIST_VOLUMES",
                                                          "LIST_VOLUMES_PUBLISHED_NODES", "GET_VOLUME",
                                                          "VOLUME_CONDITION", "SINGLE_NODE_MULTI_WRITER"});
}

TEST_CASE_METHOD(ControllerScene, "a class's zones that no pod reaches are told of, and fail nothing",
                 "[disk controller]") {
  std::vector<std::string> notes;
  DiskController noting(*volumes, [&notes](const DiskNote& note) {
    notes.push_back(note.name_space + "/" + note.claim + " " + note.event + " " + note.volume + ": " +
                    note.words);
  });
  csi::v1::CreateVolumeRequest wanted = request("pvc-1");
  (*wanted.mutable_parameters())["zoneId"] = "a";
  (*wanted.mutable_parameters())["csi.storage.k8s.io/pvc/name"] = "data";
  (*wanted.mutable_parameters())["csi.storage.k8s.io/pvc/namespace"] = "shop";
  auto& segments = *wanted.mutable_accessibility_requirements()->add_requisite()->mutable_segments();
  segments["test/zone"] = "b";
  csi::v1::CreateVolumeResponse response;
  REQUIRE(noting.create_volume(call, wanted, response));
  CHECK(response.volume().accessible_topology(0).segments().at("test/zone") == "b");
  REQUIRE(notes.size() == 1);
  CHECK_THAT(notes.front(),
             Catch::Contains("shop/data ConflictingZone pvc-1: the StorageClass has its disks in a"));
}

TEST_CASE_METHOD(ControllerScene, "a new volume tells where it is, how large, and what its node has to know",
                 "[disk controller]") {
  csi::v1::CreateVolumeRequest wanted = request("pvc-1");
  wanted.mutable_capacity_range()->set_required_bytes(20 * kGiB + 1);
  (*wanted.mutable_parameters())["mkfsOptions"] = "-i size=512";
  (*wanted.mutable_parameters())["csi.storage.k8s.io/pvc/name"] = "data";
  (*wanted.mutable_mutable_parameters())["performanceLevel"] = "PL0";
  (*wanted.mutable_mutable_parameters())["diskTags/team"] = "a";
  wanted.mutable_volume_capabilities(0)->mutable_mount()->set_fs_type("xfs");
  (*wanted.mutable_accessibility_requirements()
        ->add_preferred()
        ->mutable_segments())["topology.kubernetes.io/zone"] = "b";
  const Result<csi::v1::Volume> made = make(wanted);
  REQUIRE(made);
  CHECK(made->capacity_bytes() == static_cast<std::int64_t>(21 * kGiB));
  CHECK(Parameters(made->volume_context().begin(), made->volume_context().end()) ==
        Parameters{{"type", "cloud_essd"},
                   {"performanceLevel", "PL0"},
                   {"mkfsOptions", "-i size=512"},
                   {"fsType", "xfs"}});
  REQUIRE(made->accessible_topology_size() == 1);
  CHECK(made->accessible_topology(0).segments().at("test/zone") == "b");
  CHECK(now(made->volume_id()).tags.at("team") == "a");
  CHECK(make(wanted)->SerializeAsString().size() == made->SerializeAsString().size());
  CHECK(make(wanted)->volume_id() == made->volume_id());
  (*wanted.mutable_parameters())["mkfsOptions"] = "-O quota";
  wanted.set_name("pvc-2");
  refuses(make(wanted), Code::kInvalidArgument, "the parameter mkfsOptions: '-O quota' is not taken");
  CHECK(cloud.all_disks().size() == 1);
}

TEST_CASE_METHOD(ControllerScene, "a copy tells its source", "[disk controller]") {
  const std::string source = make(request("pvc-1"))->volume_id();
  csi::v1::CreateVolumeRequest wanted = request("pvc-2");
  wanted.mutable_volume_content_source()->mutable_volume()->set_volume_id(source);
  CHECK(make(wanted)->content_source().volume().volume_id() == source);
  csi::v1::CreateSnapshotRequest cut;
  cut.set_name("snap-1");
  cut.set_source_volume_id(source);
  csi::v1::CreateSnapshotResponse snapshot;
  REQUIRE(controller().create_snapshot(call, cut, snapshot));
  CHECK(snapshot.snapshot().ready_to_use());
  CHECK(snapshot.snapshot().size_bytes() == static_cast<std::int64_t>(20 * kGiB));
  CHECK(snapshot.snapshot().creation_time().seconds() > 0);
  wanted = request("pvc-3");
  wanted.mutable_volume_content_source()->mutable_snapshot()->set_snapshot_id(
      snapshot.snapshot().snapshot_id());
  CHECK(make(wanted)->content_source().snapshot().snapshot_id() == snapshot.snapshot().snapshot_id());
  wanted.mutable_volume_content_source()->clear_type();
  refuses(make(wanted), Code::kInvalidArgument, "neither a snapshot nor a volume");
}

TEST_CASE_METHOD(ControllerScene, "what a disk cannot be used as is refused, and not confirmed",
                 "[disk controller]") {
  using Mode = VolumeCapability::AccessMode;
  struct Case {
    Mode::Mode mode;
    bool block;
    const char* fs_type;
    bool multi_attach;
    const char* told;  // nullptr: can be
  };
  const Case cases[] = {
      {Mode::SINGLE_NODE_WRITER, false, "vfat", false, nullptr},
      {Mode::SINGLE_NODE_MULTI_WRITER, true, "", false, nullptr},
      {Mode::SINGLE_NODE_WRITER, false, "ntfs", false, "'ntfs' is not supported"},
      {Mode::MULTI_NODE_MULTI_WRITER, true, "", false, "needs multiAttach"},
      {Mode::MULTI_NODE_READER_ONLY, false, "", false, "needs multiAttach"},
      {Mode::MULTI_NODE_MULTI_WRITER, true, "", true, nullptr},
      {Mode::MULTI_NODE_MULTI_WRITER, false, "", true, "needs volumeMode Block"},
      {Mode::MULTI_NODE_READER_ONLY, false, "", true, nullptr},
  };
  int number = 0;
  for (const Case& each : cases) {
    DYNAMIC_SECTION(Mode::Mode_Name(each.mode) << each.fs_type << each.block << each.multi_attach) {
      csi::v1::CreateVolumeRequest wanted = request("pvc-" + std::to_string(++number));
      if (each.multi_attach) (*wanted.mutable_parameters())["multiAttach"] = "true";
      const std::string id = make(wanted)->volume_id();
      VolumeCapability& capability = *wanted.mutable_volume_capabilities(0);
      capability.mutable_access_mode()->set_mode(each.mode);
      if (each.block) {
        capability.mutable_block();
      } else {
        capability.mutable_mount()->set_fs_type(each.fs_type);
      }
      csi::v1::ValidateVolumeCapabilitiesRequest asked;
      asked.set_volume_id(id);
      *asked.add_volume_capabilities() = capability;
      csi::v1::ValidateVolumeCapabilitiesResponse answer;
      REQUIRE(controller().validate_capabilities(call, asked, answer));
      CHECK(answer.has_confirmed() == (each.told == nullptr));
      if (each.told != nullptr) {
        CHECK_THAT(answer.message(), Catch::Contains(each.told));
        refuses(make(wanted), Code::kInvalidArgument, each.told);
      } else {
        CHECK(make(wanted).has_value());
      }
    }
  }
}

TEST_CASE_METHOD(ControllerScene, "lists tell which node has which disk, and which disk is locked",
                 "[disk controller]") {
  const std::string id = make(request("pvc-1"))->volume_id();
  REQUIRE(make(request("pvc-2")));
  REQUIRE(attach(id, "i-1"));
  cloud.in_arrears = true;
  csi::v1::ListVolumesRequest asked;
  asked.set_max_entries(1);
  csi::v1::ListVolumesResponse page;
  REQUIRE(controller().list_volumes(call, asked, page));
  REQUIRE(page.entries_size() == 1);
  CHECK(page.entries(0).volume().volume_id() == id);
  REQUIRE(page.entries(0).status().published_node_ids_size() == 1);
  CHECK(page.entries(0).status().published_node_ids(0) == "i-1");
  CHECK(page.entries(0).status().volume_condition().abnormal());
  CHECK_THAT(page.entries(0).status().volume_condition().message(), Catch::Contains("are kept"));
  asked.set_starting_token(page.next_token());
  csi::v1::ListVolumesResponse rest;
  REQUIRE(controller().list_volumes(call, asked, rest));
  CHECK(rest.entries_size() == 1);
  CHECK(rest.next_token().empty());

  cloud.in_arrears = false;
  csi::v1::ControllerGetVolumeRequest one;
  one.set_volume_id(id);
  csi::v1::ControllerGetVolumeResponse found;
  REQUIRE(controller().volume(call, one, found));
  CHECK_FALSE(found.status().volume_condition().abnormal());
  CHECK(found.status().published_node_ids(0) == "i-1");
  one.set_volume_id("d-none");
  CHECK(controller().volume(call, one, found).error().code == Code::kNotFound);
}

TEST_CASE_METHOD(ControllerScene, "snapshots are listed by id, by volume, and all", "[disk controller]") {
  const std::string first = make(request("pvc-1"))->volume_id();
  const std::string second = make(request("pvc-2"))->volume_id();
  const std::string cut = snapshot("snap-1", first)->id;
  REQUIRE(snapshot("snap-2", second));
  const auto listed = [&](const std::string& id, const std::string& source) {
    csi::v1::ListSnapshotsRequest asked;
    asked.set_snapshot_id(id);
    asked.set_source_volume_id(source);
    csi::v1::ListSnapshotsResponse page;
    REQUIRE(controller().list_snapshots(call, asked, page));
    return page.entries_size();
  };
  CHECK(listed("", "") == 2);
  CHECK(listed(cut, "") == 1);
  CHECK(listed(cut, first) == 1);
  CHECK(listed(cut, second) == 0);
  CHECK(listed("", first) == 1);
  CHECK(listed("s-none", "") == 0);
  CHECK(listed("", "nonsense, or worse") == 0);
}

TEST_CASE_METHOD(ControllerScene, "capacity is what a zone has to sell", "[disk controller]") {
  const auto capacity = [&](const Parameters& parameters, const std::string& zone) {
    csi::v1::GetCapacityRequest asked;
    asked.mutable_parameters()->insert(parameters.begin(), parameters.end());
    if (!zone.empty()) (*asked.mutable_accessible_topology()->mutable_segments())["test/zone"] = zone;
    csi::v1::GetCapacityResponse told;
    REQUIRE(controller().capacity(call, asked, told));
    return std::pair(told.available_capacity() / static_cast<std::int64_t>(kGiB),
                     told.minimum_volume_size().value() / static_cast<std::int64_t>(kGiB));
  };
  using Told = std::pair<std::int64_t, std::int64_t>;
  CHECK(capacity({}, "") == Told{32768, 20});
  CHECK(capacity({{"type", "cloud_essd"}, {"performanceLevel", "PL2"}}, "a") == Told{32768, 461});
  cloud.sold_out = {{"a", "cloud_essd"}};
  CHECK(capacity({{"type", "cloud_essd"}}, "a") == Told{0, 0});
  CHECK(capacity({{"type", "cloud_essd"}}, "b") == Told{32768, 20});
  CHECK(capacity({{"zoneId", "b"}}, "a") == Told{0, 0});
}

TEST_CASE_METHOD(ControllerScene, "growing asks the node to look, whatever is on the disk",
                 "[disk controller]") {
  csi::v1::ControllerExpandVolumeRequest asked;
  asked.set_volume_id(make(request("pvc-1"))->volume_id());
  asked.mutable_capacity_range()->set_required_bytes(static_cast<std::int64_t>(30 * kGiB));
  asked.mutable_volume_capability()->mutable_block();
  csi::v1::ControllerExpandVolumeResponse grown;
  REQUIRE(controller().expand_volume(call, asked, grown));
  CHECK(grown.capacity_bytes() == static_cast<std::int64_t>(30 * kGiB));
  CHECK(grown.node_expansion_required());
}

TEST_CASE_METHOD(ControllerScene, "publishing hands over what the node has to know", "[disk controller]") {
  csi::v1::ControllerPublishVolumeRequest asked;
  asked.set_volume_id(make(request("pvc-1"))->volume_id());
  asked.set_node_id("i-1");
  csi::v1::ControllerPublishVolumeResponse published;
  REQUIRE(controller().publish_volume(call, asked, published));
  CHECK(published.publish_context().at("csi.fs") == "new");
  CHECK(published.publish_context().at("serialNumber") == now(asked.volume_id()).serial);
  csi::v1::ControllerUnpublishVolumeRequest gone;
  gone.set_volume_id(asked.volume_id());
  csi::v1::ControllerUnpublishVolumeResponse done;
  REQUIRE(controller().unpublish_volume(call, gone, done));
  CHECK(now(asked.volume_id()).nodes.empty());
}

}  // namespace
}  // namespace holdfast::disk
