#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "csi-disk/driver/disk_node.h"
#include "csi-disk/driver/new_disk_preparer.h"
#include "test/csi-disk/device/disk_machine.h"
#include "test/csi/driver_tests.h"
#include "test/mount/fake_mounter.h"

namespace holdfast::disk::test {

/// Decides as the real one does, on disks whose content the tests tell; formats in memory.
class FakePreparer final : public block::VolumePreparer {
 public:
  Result<std::string> prepare(const block::PrepareRequest& request, block::ProvenanceRecord& record,
                              std::chrono::milliseconds /*deadline*/,
                              const std::function<bool()>& /*cancelled*/) override {
    asked.push_back(request);
    const auto decision = block::decide_format({.volume = request.volume,
                                                .device = request.device,
                                                .fs_type = request.fs_type,
                                                .provenance = request.provenance,
                                                .content = contents[request.device],
                                                .format_if_blank = request.format_if_blank,
                                                .read_only = request.read_only});
    if (const auto* refused = std::get_if<block::Refuse>(&decision)) return tl::unexpected(refused->error);
    if (const auto* there = std::get_if<block::Mount>(&decision)) return there->fs_type;
    if (std::holds_alternative<block::NeedWholeDeviceProof>(decision)) {
      whole_reads.push_back(request.device);
      contents[request.device] = block::Blank{.throughout = true};
      return prepare(request, record, {}, {});
    }
    HOLDFAST_CHECK(record.write({block::Provenance::Kind::kFormatting, {}}));
    if (dies_in_mkfs) return fail(Code::kUnavailable, "cut off");
    contents[request.device] = block::Signature{request.fs_type, "u-1"};
    HOLDFAST_CHECK(record.write({block::Provenance::Kind::kFormatted, "u-1"}));
    formatted.push_back(request.device);
    return request.fs_type;
  }

  std::map<std::string, block::Content> contents;  ///< by device; Blank when nothing is told
  std::vector<block::PrepareRequest> asked;
  std::vector<std::string> formatted;
  std::vector<std::string> whole_reads;
  bool dies_in_mkfs = false;
};

class FakeProbe final : public block::VolumeProbe {
 public:
  Result<block::VolumeLook> look(const std::string& /*path*/) override {
    return block::VolumeLook{.usage = {.total_bytes = 100, .available_bytes = 60, .used_bytes = 40},
                             .io_errors = 0};
  }
};

/// A node, and a disk or two that come and go.
struct DiskScene : DiskMachine {
  DiskScene() {
    mounter.make_folder("/kubelet/pods");
    plug("vdb", "1", 16);
  }
  void plug(const std::string& name, const std::string& serial, unsigned minor_number) {
    attach(name, serial, minor_number);
    mounter.devices[dev(name)] = minor_number;
    sizes[dev(name)] = 1 << 30;
  }
  void unplug(const std::string& name, unsigned minor_number) {
    detach(name, minor_number);
    mounter.devices.erase(dev(name));
  }
  static std::string use(const std::string& kind, const std::string& mode = "SINGLE_NODE_WRITER") {
    return " volume_capability { " + kind + " access_mode { mode: " + mode + " } } ";
  }
  static std::string attribute(const std::string& key, const std::string& value) {
    return " volume_context { key: '" + key + "' value: '" + value + "' } ";
  }
  /// What the controller says with an attached disk.
  static std::string attachment(const std::string& serial, const std::string& content) {
    return " publish_context { key: 'serialNumber' value: '" + serial +
           "' } publish_context { key: 'csi.fs' value: '" + content + "' } ";
  }
  Status stage(const std::string& more, const std::string& id = "d-1", const std::string& path = kStaging) {
    csi::v1::NodeStageVolumeResponse response;
    return node.stage_volume(call,
                             csi::test::message<csi::v1::NodeStageVolumeRequest>(
                                 "volume_id: '" + id + "' staging_target_path: '" + path + "' " + more),
                             response);
  }
  Status stage_new() { return stage(use("mount {}") + attachment("1", "new")); }
  Status unstage(const std::string& id = "d-1", const std::string& path = kStaging) {
    csi::v1::NodeUnstageVolumeResponse response;
    return node.unstage_volume(call,
                               csi::test::message<csi::v1::NodeUnstageVolumeRequest>(
                                   "volume_id: '" + id + "' staging_target_path: '" + path + "'"),
                               response);
  }
  Status publish(const std::string& target, const std::string& more = use("mount {}"),
                 const std::string& id = "d-1") {
    csi::v1::NodePublishVolumeResponse response;
    return node.publish_volume(call,
                               csi::test::message<csi::v1::NodePublishVolumeRequest>(
                                   "volume_id: '" + id + "' staging_target_path: '" + kStaging +
                                   "' target_path: '" + target + "' " + more),
                               response);
  }
  Status unpublish(const std::string& target, const std::string& id = "d-1") {
    csi::v1::NodeUnpublishVolumeResponse response;
    return node.unpublish_volume(call,
                                 csi::test::message<csi::v1::NodeUnpublishVolumeRequest>(
                                     "volume_id: '" + id + "' target_path: '" + target + "'"),
                                 response);
  }
  Result<csi::v1::NodeGetVolumeStatsResponse> usage(const std::string& path, const std::string& id = "d-1") {
    csi::v1::NodeGetVolumeStatsResponse response;
    HOLDFAST_CHECK(node.volume_stats(call,
                                     csi::test::message<csi::v1::NodeGetVolumeStatsRequest>(
                                         "volume_id: '" + id + "' volume_path: '" + path + "'"),
                                     response));
    return response;
  }
  Result<std::int64_t> expand(const std::string& path, std::uint64_t bytes) {
    csi::v1::NodeExpandVolumeResponse response;
    HOLDFAST_CHECK(
        node.expand_volume(call,
                           csi::test::message<csi::v1::NodeExpandVolumeRequest>(
                               "volume_id: 'd-1' volume_path: '" + path +
                               "' capacity_range { required_bytes: " + std::to_string(bytes) + " }"),
                           response));
    return response.capacity_bytes();
  }
  std::string content() {
    const auto record = records.read("d-1")->record;
    return record ? record->content : "none";
  }

  static inline const std::string kStaging = "/kubelet/plugins/csi/1/globalmount";
  static inline const std::string kTarget = "/kubelet/pods/a";
  static inline const std::string kOther = "/kubelet/pods/b";

  csi::test::PatientCall call;
  holdfast::test::FakeMounter mounter{"/kubelet"};
  FakePreparer decider;
  NewDiskPreparer preparer{decider};
  SystemClock real_clock;
  block::VolumeStats stats{std::make_shared<FakeProbe>(), real_clock};
  PosixFiles posix;
  holdfast::test::TemporaryFolder state;
  DiskRecords records{posix, state / ""};
  std::map<std::string, std::uint64_t> sizes;  ///< by device
  std::function<void(const std::string&)> on_rescan = [](auto&&) {};
  std::vector<std::string> grown;
  std::vector<std::string> tuned;
  std::string boot_id = "a-boot";
  NodePlace place{.node_id = "i-1", .topology = {{"zone", "z-1"}}, .max_volumes = 15};
  csi::Profile profile = csi::known_profile("diskplugin.csi.alibabacloud.com").value();
  DiskNodeParts node_parts() {
    return {
        .finder = finder,
        .news = news,
        .clock = real_clock,
        .records = records,
        .mounter = mounter,
        .stats = stats,
        .stager = {mounter, preparer, stats,
                   [this](const std::string& type, const std::string&, const std::string& device,
                          std::uint64_t bytes) -> Status {
                     grown.push_back(type + " " + device.substr(device.rfind('/') + 1) + " " +
                                     std::to_string(bytes >> 20));
                     return {};
                   },
                   [](const std::string&, gid_t, const std::function<bool()>&) { return Status(); }},
        .grow_partition =
            [this](const std::string& disk, std::chrono::milliseconds) {
              grown.push_back("partition of " + disk);
              return Status();
            },
        .size_of = [this](const std::string& device) -> Result<std::uint64_t> { return sizes.at(device); },
        .in_use = [this](const std::string& device) -> Result<bool> { return mounter.held.contains(device); },
        .rescan = [this](const std::string& disk) { on_rescan(disk); },
        .tune =
            [this](const std::vector<QueueSetting>& settings, const std::string& disk) {
              for (const QueueSetting& each : settings) tuned.push_back(disk + " " + each.name);
              return Status();
            },
        .place = [this]() -> Result<NodePlace> { return place; },
        .boot_id = boot_id,
        .device_patience = std::chrono::milliseconds(30)};
  }
  DiskNode node{node_parts(), profile};
};

}  // namespace holdfast::disk::test
