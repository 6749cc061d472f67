#include "csi-disk/program/disk_plugin.h"

#include <atomic>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/first_error.h"
#include "common/base/machine_ids.h"
#include "common/base/state_folder.h"
#include "common/base/version.h"
#include "common/block/encryption.h"
#include "common/block/filesystem.h"
#include "common/block/grow.h"
#include "common/block/partition.h"
#include "common/block/preparer.h"
#include "common/block/volume_stats.h"
#include "common/mount/group_access.h"
#include "common/mount/kubelet_inventory.h"
#include "common/mount/mounter.h"
#include "common/staging/kubelet_places.h"
#include "csi-disk/device/device_finder.h"
#include "csi-disk/device/device_watch.h"
#include "csi-disk/driver/attach_room.h"
#include "csi-disk/driver/disk_node.h"
#include "csi-disk/driver/disk_requests.h"
#include "csi-disk/driver/new_disk_preparer.h"

namespace holdfast::disk {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::minutes kBetweenForgetting{10};

// What the parts stand on that can fail to be made.
struct Ground {
  Fd lock;
  fs::path folder;
  std::unique_ptr<mount::Mounter> mounter;
};

Result<Ground> make_ground(const csi::HostContext& context, const PluginOptions& options) {
  Ground ground;
  ground.folder = options.state_dir / options.profile.driver_name;
  HOLDFAST_TRY(ground.lock, take_state_folder(context.files, ground.folder, "csi-disk"));
  HOLDFAST_CHECK(make_state_folder(context.files, ground.folder / "disks"));
  auto mounter = mount::make_mounter(options.kubelet_dir.native());
  if (!mounter) return tl::unexpected(std::move(mounter).error().within("--kubelet-dir"));
  ground.mounter = *std::move(mounter);
  return ground;
}

std::optional<cloud::Vendor> vendor_of(const csi::Profile& profile) {
  const std::string name = cloud_name_of(profile);
  if (name == "alibaba") return cloud::Vendor::kAlibaba;
  if (name == "cbs") return cloud::Vendor::kTencent;
  return std::nullopt;
}

class DiskPlugin final : public csi::HostedDriver {
 public:
  DiskPlugin(const csi::HostContext& context, PluginOptions options, Ground ground)
      : context_(context),
        options_(std::move(options)),
        ground_(std::move(ground)),
        http_("csi-disk/" + std::string(version())),
        finder_({directory_, device_files_, news_, context.clock}, rules()),
        records_(context.files, ground_.folder / "disks"),
        file_systems_(context.executor),
        encryption_(context.executor),
        decider_(file_systems_, encryption_),
        preparer_(decider_),
        stats_(std::make_shared<block::SystemVolumeProbe>(), context.clock),
        node_(parts(), options_.profile),
        stuck_(context.metrics.gauge("holdfast_volume_stats_stuck", "Looks at volumes that do not end",
                                     {{"driver_name", options_.profile.driver_name}})) {}

  // Hears of disks from before it looks for those that are there.
  Status watch_disks() {
    HOLDFAST_TRY(watch_, DeviceWatch::start(context_.loop, options_.node.by_id, news_, context_.log));
    return {};
  }

  Status prepare() override {
    FirstError first;
    first.add(learn_place());
    first.add(staging::take_stock(options_.kubelet_dir.native(), options_.profile.driver_name,
                                  *ground_.mounter, stats_, context_.log, context_.metrics));
    first.add(node_.forget_detached());
    return first.result();
  }

  [[nodiscard]] csi::ServedDriver served() override {
    csi::ServedDriver out;
    out.profile = options_.profile;
    out.capabilities = {.controller = !is_of_others(),
                        .topology = !options_.profile.topology_keys.empty(),
                        .online_expansion = true};
    out.socket =
        options_.socket.empty() ? csi::csi_socket(options_.kubelet_dir, options_.profile) : options_.socket;
    out.registration_socket = csi::registration_socket(options_.kubelet_dir, options_.profile);
    out.endpoint = out.socket;
    out.stages = true;
    out.controller = options_.controller.get();
    out.node = &node_;
    return out;
  }

  void tick() override {
    stats_.tick();
    if (options_.tick_controller) options_.tick_controller();
    if (limit_due_.exchange(false)) {
      context_.worker.run([this] { renewed_ = renew_limit(); },
                          [this] {
                            if (renewed_) return;
                            context_.log.warning("how many disks this node may have cannot be kept",
                                                 {{"error", renewed_.error().message}});
                          });
    }
    const std::chrono::nanoseconds now = context_.clock.since_boot();
    if (forgetting_ || now < forget_next_) return;
    forgetting_ = true;
    forget_next_ = now + kBetweenForgetting;
    context_.worker.run([this] { forgotten_ = node_.forget_detached(); },
                        [this] {
                          forgetting_ = false;
                          if (forgotten_) return;
                          context_.log.warning("records of disks that are gone are kept",
                                               {{"error", forgotten_.error().message}});
                        });
  }

  void refresh_metrics() override { stuck_.set(static_cast<double>(stats_.stuck())); }

 private:
  // Whether nobody of ours makes and attaches its disks.
  [[nodiscard]] bool is_of_others() const {
    return options_.controller == nullptr && usual_backend(options_.profile) == Backend::kStatic;
  }

  [[nodiscard]] DeviceRules rules() const {
    return {.links = options_.profile.device_links,
            .by_id = options_.node.by_id,
            .loops = options_.profile.loop_devices};
  }

  DiskNodeParts parts() {
    return {.finder = finder_,
            .news = news_,
            .clock = context_.clock,
            .records = records_,
            .mounter = *ground_.mounter,
            .stats = stats_,
            .stager = {*ground_.mounter, preparer_, stats_, block::grow_file_system, mount::give_to_group},
            .grow_partition =
                [this](const std::string& disk, std::chrono::milliseconds deadline) {
                  return block::grow_only_partition(context_.executor, directory_, disk, deadline);
                },
            .size_of = block::device_size_bytes,
            .in_use = block::is_in_use,
            .rescan = [](const std::string& disk) { rescan_size(disk); },
            .tune = [](const std::vector<QueueSetting>& settings,
                       const std::string& disk) { return apply(settings, disk); },
            .place = [this] { return place(); },
            .boot_id = read_boot_id(context_.files).value_or("")};
  }

  Status learn_place() {
    const NodeQuestion question = this->question();
    HOLDFAST_TRY(CloudNode facts, learn_node(question));
    // A cloud that the profile does not know has no other name for it.
    if (!question.vendor && facts.instance_id.empty()) facts.instance_id = options_.node_id;
    if (options_.profile.region_in_node_name && facts.region.empty()) {
      facts.region = region_in_name(options_.node_id);
    }
    const bool wanted = options_.ask_limit != nullptr && !options_.node.attach_limit;
    // At the first start kubelet is to be told the limit; later what is kept will do until it has answered.
    const bool at_once = wanted && !facts.attach_limit;
    if (at_once) {
      HOLDFAST_TRY(facts, learn_limit(question, std::move(facts), options_.ask_limit));
    }
    limit_due_ = wanted && !at_once;
    const std::scoped_lock lock(mutex_);
    facts_ = std::move(facts);
    return {};
  }

  [[nodiscard]] NodeQuestion question() {
    const auto vendor = vendor_of(options_.profile);
    return {.told = options_.node,
            .vendor = vendor,
            .metadata = std::string(vendor ? cloud::metadata_url(*vendor) : ""),
            .http = http_,
            .files = context_.files,
            .file = ground_.folder / "place"};
  }

  // On the worker's thread, when calls are answered already.
  Status renew_limit() {
    CloudNode facts;
    {
      const std::scoped_lock lock(mutex_);
      facts = *facts_;
    }
    HOLDFAST_TRY(facts, learn_limit(question(), std::move(facts), options_.ask_limit));
    const std::scoped_lock lock(mutex_);
    facts_ = std::move(facts);
    return {};
  }

  Result<NodePlace> place() {
    CloudNode facts;
    {
      const std::scoped_lock lock(mutex_);
      if (!facts_) return fail(Code::kUnavailable, "what this node is to its cloud is not known: ask again");
      facts = *facts_;
    }
    NodePlace out{.node_id = facts.instance_id, .topology = {}, .max_volumes = 0};
    auto topology = topology_of(options_.profile.topology_keys, facts, options_.node_id);
    // Who makes these disks has labelled the node, and kubelet leaves a label that it is not told of.
    if (!topology && !is_of_others()) return tl::unexpected(std::move(topology).error());
    if (topology) out.topology = *std::move(topology);
    HOLDFAST_TRY(const std::vector<DiskIdentity> ours, disks_of_volumes());
    const std::uint32_t limit = facts.attach_limit.value_or(options_.profile.attach_limit);
    out.max_volumes = room_for_volumes(options_.node.attach_limit.value_or(limit), attached(), ours);
    return out;
  }

  // Also of those that an earlier driver of this name staged: there is no record of them, but kubelet's.
  Result<std::vector<DiskIdentity>> disks_of_volumes() {
    HOLDFAST_TRY(const std::vector<DiskRecord> records, records_.all());
    std::vector<DiskIdentity> out;
    out.reserve(records.size());
    for (const DiskRecord& each : records) out.push_back(each.identity);
    for (const std::string& volume :
         mount::staged_volumes(options_.kubelet_dir.native(), options_.profile.driver_name)) {
      if (const auto serial = serial_of_handle(volume, options_.profile)) out.push_back({.serial = *serial});
    }
    return out;
  }

  std::vector<DiskIdentity> attached() {
    std::vector<DiskIdentity> out;
    for (const std::string& name : directory_.disk_names()) {
      const auto marks = directory_.marks_of(name);
      if (!marks) continue;
      DiskIdentity identity = identity_of(*marks, rules());
      if (!identity.serial.empty() || !identity.wwn.empty()) out.push_back(std::move(identity));
    }
    return out;
  }

  csi::HostContext context_;
  PluginOptions options_;
  Ground ground_;
  cloud::CurlClient http_;
  block::DeviceDirectory directory_;
  SystemDeviceFiles device_files_;
  DeviceNews news_;
  DeviceFinder finder_;
  DiskRecords records_;
  block::FileSystems file_systems_;
  block::LuksEncryption encryption_;
  block::Preparer decider_;
  NewDiskPreparer preparer_;
  block::VolumeStats stats_;
  DiskNode node_;
  Gauge& stuck_;
  std::unique_ptr<DeviceWatch> watch_;
  std::atomic<bool> limit_due_ = false;  // what is kept of it is to be compared with what the cloud says
  Status renewed_;                       // of the worker until its job is done
  std::mutex mutex_;                     // guards facts_
  std::optional<CloudNode> facts_;
  Status forgotten_;  // of the worker until its job is done
  bool forgetting_ = false;
  std::chrono::nanoseconds forget_next_{};
};

}  // namespace

Result<std::unique_ptr<csi::HostedDriver>> make_disk_plugin(const csi::HostContext& context,
                                                            const PluginOptions& options) {
  HOLDFAST_TRY(Ground ground, make_ground(context, options));
  auto plugin = std::make_unique<DiskPlugin>(context, options, std::move(ground));
  HOLDFAST_CHECK(plugin->watch_disks());
  return std::unique_ptr<csi::HostedDriver>(std::move(plugin));
}

}  // namespace holdfast::disk
