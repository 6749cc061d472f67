// Manifests that users have, before the node's side of their drivers.
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "common/block/mkfs_options.h"
#include "common/yaml/yaml.h"
#include "csi-disk/volumes/disk_class.h"
#include "test/csi-disk/driver/disk_scene.h"

namespace holdfast::disk {
namespace {

using nlohmann::json;
using test::DiskScene;

std::vector<json> manifests(const std::string& name) {
  std::ifstream file(std::string(HOLDFAST_FIXTURES) + "/csi-disk/" + name);
  return parse_yaml(std::string(std::istreambuf_iterator<char>(file), {})).value();
}

std::vector<json> of_kind(const std::string& name, const std::string& kind) {
  std::vector<json> all = manifests(name);
  std::erase_if(all, [&](const json& each) { return each.at("kind") != kind; });
  REQUIRE_FALSE(all.empty());
  return all;
}

// What kubelet makes of a PersistentVolume for NodeStageVolume.
std::string stage_text(const json& volume) {
  const json& spec = volume.at("spec");
  const json& csi = spec.at("csi");
  const bool raw = spec.value("volumeMode", "Filesystem") == "Block";
  const std::string type = csi.value("fsType", "");
  std::string out = DiskScene::use(raw ? "block {}" : "mount { fs_type: '" + type + "' }");
  const json attributes = csi.value("volumeAttributes", json::object());
  for (const auto& [key, value] : attributes.items()) {
    out += DiskScene::attribute(key, value.get<std::string>());
  }
  return out;
}

struct ManifestScene : DiskScene {
  /// The node's side of the driver that the volume names, with the disk attached and somebody's data on it.
  void serve(const json& volume, const std::string& serial) {
    profile = csi::known_profile(volume.at("spec").at("csi").at("driver").get<std::string>()).value();
    plug("vdz", serial, 99);
    const std::string type = volume.at("spec").at("csi").value("fsType", "ext4");
    decider.contents[dev("vdz")] = block::Signature{type, "of-the-user"};
    driver.emplace(node_parts(), profile);
  }
  Status stage_manifest(const json& volume) {
    csi::v1::NodeStageVolumeResponse response;
    return driver->stage_volume(call, csi::test::message<csi::v1::NodeStageVolumeRequest>(named(volume)),
                                response);
  }
  Status publish_manifest(const json& volume) {
    csi::v1::NodePublishVolumeResponse response;
    return driver->publish_volume(call,
                                  csi::test::message<csi::v1::NodePublishVolumeRequest>(
                                      named(volume) + " target_path: '" + kTarget + "'"),
                                  response);
  }
  static std::string named(const json& volume) {
    return "volume_id: '" + volume.at("spec").at("csi").at("volumeHandle").get<std::string>() +
           "' staging_target_path: '" + kStaging + "' " + stage_text(volume);
  }
  std::optional<DiskNode> driver;
};

TEST_CASE_METHOD(ManifestScene,
                 "volumes that are there already are staged and published, and keep their data",
                 "[disk manifests]") {
  struct Case {
    const char* file;
    std::size_t index;
    const char* serial;
  };
  const Case cases[] = {{"alibaba.yaml", 0, "2zejqk5x7nb0yvw1"},
                        {"eck.yaml", 1, "cfebko79upsq2iuo7lkg"},
                        {"cbs.yaml", 0, "disk-b5hmzqkx"},
                        {"ens.yaml", 0, "5t3fz0mkq8"}};
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.file << " " << c.index) {
      const json volume = of_kind(c.file, "PersistentVolume").at(c.index);
      serve(volume, c.serial);
      REQUIRE(stage_manifest(volume).has_value());
      REQUIRE(publish_manifest(volume).has_value());
      CHECK(mounter.entry_at(kTarget).value().has_value());
      CHECK(mounter.mounts_of(dev("vdb")).value().empty());
      CHECK(decider.formatted.empty());
    }
  }
}

TEST_CASE_METHOD(ManifestScene, "a disk of ECK is found when a profile says how, and refused otherwise",
                 "[disk manifests]") {
  const json volume = of_kind("eck.yaml", "PersistentVolume").at(0);
  serve(volume, "cfebko79upsq2iuo7lkg");
  const Status refused = stage_manifest(volume);
  csi::test::refuses(refused, Code::kInvalidArgument);
  CHECK(refused.error().message.find("handleSerial") != std::string::npos);
  profile.handle_serial = csi::HandleSerial::kBehindPrefix;
  driver.emplace(node_parts(), profile);
  REQUIRE(stage_manifest(volume).has_value());
  CHECK(mounter.entry_at(kStaging).value()->source == dev("vdz"));
  CHECK(decider.formatted.empty());
}

TEST_CASE_METHOD(ManifestScene, "a new volume of each class is made as the class says", "[disk manifests]") {
  const DiskCloud cloud = known_cloud("alibaba").value();
  for (const json& each : of_kind("alibaba.yaml", "StorageClass")) {
    CAPTURE(each.at("metadata").at("name"));
    const auto wanted = parse_disk_class(each.at("parameters").get<Parameters>(), cloud);
    REQUIRE(wanted.has_value());
    std::string more = use("mount {}") + attachment("1", "new");
    for (const auto& [key, value] : wanted->for_node) more += attribute(key, value);
    decider.contents.clear();
    REQUIRE(records.remove("d-1").has_value());
    REQUIRE(stage(more).has_value());
    REQUIRE(publish(kTarget).has_value());
    CHECK(block::check_mkfs_options(block::FsType::kExt4, decider.asked.back().mkfs_options).has_value());
    CHECK(mounter.entry_at(kTarget).value()->read_only() == each.at("parameters").contains("readonly"));
    REQUIRE(unpublish(kTarget).has_value());
    REQUIRE(unstage().has_value());
  }
}

TEST_CASE("claims of disks are for one node's file systems, which disks can be", "[disk manifests]") {
  for (const char* file : {"alibaba.yaml", "eck.yaml"}) {
    for (const json& each : of_kind(file, "PersistentVolumeClaim")) {
      CAPTURE(each.at("metadata").at("name"));
      CHECK(each.at("spec").at("accessModes") == json::array({"ReadWriteOnce"}));
      CHECK(each.at("spec").value("volumeMode", "Filesystem") == "Filesystem");
      CHECK(check_usage(csi::test::message<csi::v1::VolumeCapability>(
                            "mount {} access_mode { mode: SINGLE_NODE_WRITER }"))
                .has_value());
    }
  }
}

}  // namespace
}  // namespace holdfast::disk
