#include "csi-lvm/program/lvm_plugin.h"

#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/first_error.h"
#include "common/base/state_folder.h"
#include "common/block/filesystem.h"
#include "common/block/grow.h"
#include "common/block/preparer.h"
#include "common/block/uevents.h"
#include "common/block/volume_stats.h"
#include "common/mount/group_access.h"
#include "common/mount/mounter.h"
#include "common/staging/kubelet_places.h"
#include "csi-lvm/driver/activation.h"
#include "csi-lvm/driver/lvm_controller.h"
#include "csi-lvm/driver/lvm_node.h"
#include "csi-lvm/lvm/commands_lvm.h"
#include "csi-lvm/lvm/make_runner.h"
#include "csi-lvm/program/node_cluster.h"
#include "csi-lvm/volumes/block_cleaner.h"
#include "csi-lvm/volumes/content_copy.h"

namespace holdfast::lvm {
namespace {

namespace fs = std::filesystem;

constexpr Lvm::Patience kAtStart{std::chrono::minutes(1)};
constexpr std::chrono::milliseconds kDisksSettle{500};  // they come in crowds
constexpr std::chrono::seconds kBetweenTending{10};

// Beside the program itself.
fs::path own_worker() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path() / "lvmcmd";
}

LocalVolumes::Places places_in(mount::Mounter& mounter) {
  return [&mounter](const std::string& device) -> Result<std::vector<std::string>> {
    HOLDFAST_TRY(const mount::Mounts mounts, mounter.mounts_of(device));
    std::vector<std::string> places;
    for (const mount::MountEntry& entry : mounts) places.push_back(entry.target);
    return places;
  };
}

// What the parts stand on that can fail to be made.
struct Ground {
  Fd lock;
  fs::path archive;
  fs::path backup;  // empty without a cluster
  fs::path known_disks;
  std::string cluster;  // its uid, as far as it is known
  std::unique_ptr<LvmRunner> runner;
  std::unique_ptr<mount::Mounter> mounter;
};

LvmSettings settings_of(const Configuration& configuration, const Ground& ground) {
  LvmSettings settings;
  settings.devices_file = configuration.devices_file;
  settings.udev = configuration.udev;
  settings.archive_folder = ground.archive.native();
  settings.backup_folder = ground.backup.native();
  settings.is_ours = has_volumes_of_ours;
  settings.known_disks = ground.known_disks.native();
  return settings;
}

fs::path state_folder(const PluginOptions& options) {
  return options.state_dir / options.profile.driver_name;
}

Result<Ground> make_ground(const csi::HostContext& context, const PluginOptions& options) {
  Ground ground;
  const fs::path folder = state_folder(options);
  ground.archive = folder / "archive";
  ground.known_disks = folder / "disks";
  HOLDFAST_TRY(ground.lock, take_state_folder(context.files, folder, "csi-lvm"));
  HOLDFAST_CHECK(make_state_folder(context.files, ground.archive));
  if (options.cluster) {
    ground.backup = NodeCluster::backup_folder(folder);
    HOLDFAST_CHECK(make_state_folder(context.files, ground.backup));
    HOLDFAST_TRY(ground.cluster, NodeCluster::kept_uid(context.files, folder, context.log));
  }
  HOLDFAST_TRY(ground.runner,
               make_runner(context.executor, {.told = options.lvmcmd, .beside = own_worker()}));
  auto mounter = mount::make_mounter(options.kubelet_dir.native());
  if (!mounter) return tl::unexpected(std::move(mounter).error().within("--kubelet-dir"));
  ground.mounter = *std::move(mounter);
  return ground;
}

class LvmPlugin final : public csi::HostedDriver {
 public:
  LvmPlugin(const csi::HostContext& context, PluginOptions options, const Configuration& configuration,
            Ground ground)
      : context_(context),
        options_(std::move(options)),
        ground_(std::move(ground)),
        queue_(std::move(ground_.runner)),
        lvm_(queue_, settings_of(configuration, ground_)),
        book_(PoolLimits{}, configuration.spare_bytes),
        cleaner_(context.clock),
        copier_(context.clock),
        volumes_(lvm_, book_, cleaner_, copier_, context.clock, ground_.cluster, places_in(*ground_.mounter)),
        file_systems_(context.executor),
        encryption_(context.executor),
        preparer_(file_systems_, encryption_),
        stats_(std::make_shared<block::SystemVolumeProbe>(), context.clock),
        controller_(volumes_, book_, topology_key(), options_.node_id),
        node_({volumes_, book_, lvm_, *ground_.mounter, preparer_, encryption_, stats_,
               block::grow_file_system, mount::give_to_group,
               (options_.kubelet_dir / "plugins" / options_.profile.driver_name / "inline").native()},
              topology_key(), options_.node_id),
        free_(gauge("holdfast_lvm_free_bytes", "Room of all groups that volumes can still be made of")),
        waiting_(gauge("holdfast_lvm_commands_waiting", "Commands of LVM that have not begun")),
        stuck_(gauge("holdfast_volume_stats_stuck", "Looks at volumes that do not end")),
        unknown_groups_(
            gauge("holdfast_lvm_spare_groups_unknown", "Groups of lvm.spare that are not on this node")) {}

  // Hears of disks from before it looks at those that are there.
  Status watch_disks() {
    HOLDFAST_TRY(auto monitor, block::UeventMonitor::open());
    uevents_.emplace(std::move(monitor));
    HOLDFAST_TRY(disk_news_, context_.loop.watch(uevents_->fd(), {.readable = true, .writable = false},
                                                 [this](Readiness) { hear_of_disks(); }));
    return {};
  }

  Status join(const kube::Config& cluster, std::map<std::string, std::uint64_t> spare_bytes) {
    HOLDFAST_TRY(cluster_,
                 NodeCluster::connect(
                     context_, cluster,
                     NodeCluster::Parts{.lvm = lvm_, .volumes = volumes_, .book = book_, .holds = holds_},
                     {.folder = state_folder(options_),
                      .node = options_.node_id,
                      .topology = {{topology_key(), options_.node_id}},
                      .spare_bytes = std::move(spare_bytes),
                      .heartbeat = options_.heartbeat},
                     ground_.cluster));
    return {};
  }

  Status prepare() override {
    FirstError first;
    first.add(volumes_.recover(kAtStart, &holds_));
    for (const std::string& group : book_.unknown_spare_groups()) {
      context_.log.warning("lvm.spare names a volume group that is not on this node: nothing is spared",
                           {{"group", group}});
    }
    context_.loop.post([this] {
      if (cluster_) cluster_->start();
    });
    first.add(activate(volumes_.listed_last()));
    first.add(staging::take_stock(options_.kubelet_dir.native(), options_.profile.driver_name,
                                  *ground_.mounter, stats_, context_.log, context_.metrics));
    return first.result();
  }

  [[nodiscard]] csi::ServedDriver served() override {
    csi::ServedDriver out;
    out.profile = options_.profile;
    out.capabilities = {.controller = true, .topology = true, .online_expansion = true};
    out.socket =
        options_.socket.empty() ? csi::csi_socket(options_.kubelet_dir, options_.profile) : options_.socket;
    out.registration_socket = csi::registration_socket(options_.kubelet_dir, options_.profile);
    out.endpoint = out.socket;
    out.stages = true;
    out.holds = &holds_;
    if (options_.mode == Mode::kAll) out.controller = &controller_;
    out.node = &node_;
    return out;
  }

  void tick() override {
    stats_.tick();
    tend_pools();
    for (const std::string& warning : lvm_.take_warnings()) context_.log.warning(warning);
  }

  void refresh_metrics() override {
    free_.set(static_cast<double>(book_.available_bytes()));
    waiting_.set(static_cast<double>(queue_.load().waiting));
    stuck_.set(static_cast<double>(stats_.stuck()));
    unknown_groups_.set(static_cast<double>(book_.unknown_spare_groups().size()));
    if (!cluster_) return;
    gauge("holdfast_lvm_orphans", "Volumes of this cluster that it knows nothing of")
        .set(static_cast<double>(cluster_->orphan_count()));
  }

 private:
  [[nodiscard]] const std::string& topology_key() const { return options_.profile.topology_keys.front(); }

  Gauge& gauge(std::string_view name, std::string_view help, Labels labels = {}) {
    labels["driver_name"] = options_.profile.driver_name;
    return context_.metrics.gauge(name, help, labels);
  }

  Status activate(const std::vector<LocalVolume>& volumes) {
    HOLDFAST_TRY(const std::size_t activated, activate_volumes(volumes, lvm_, kAtStart));
    if (activated > 0) context_.log.info("volumes activated", {{"count", activated}});
    return {};
  }

  void hear_of_disks() {
    const auto news = uevents_->read();
    if (!news) return context_.log.warning("cannot hear of disks", {{"error", news.error().message}});
    for (const block::Uevent& event : *news) {
      const auto* device = std::get_if<block::DeviceEvent>(&event);
      // Volumes of pods' own definitions too: their devices come and go.
      const bool changed = device == nullptr || device->action == "add" || device->action == "remove";
      if (changed && cluster_) cluster_->look_soon();
      // Of device-mapper's own devices most are ours, of volumes that are activated.
      if (device != nullptr && (device->action != "add" || device->kernel_name.starts_with("dm-"))) continue;
      if (!settled_.pending()) settled_ = context_.loop.after(kDisksSettle, [this] { take_disks(); });
    }
  }

  // Without a pool LVM is not asked, so that its worker may rest.
  void tend_pools() {
    const std::chrono::nanoseconds now = context_.clock.since_boot();
    if (tending_ || now < tend_next_ || !book_.has_pools()) return;
    tending_ = true;
    tend_next_ = now + kBetweenTending;
    context_.worker.run([this] { tended_ = volumes_.tend(kAtStart); },
                        [this] {
                          tending_ = false;
                          if (tended_) return;
                          context_.log.warning("not all thin pools are as they should be",
                                               {{"error", tended_.error().message}});
                        });
  }

  Status activate_new() {
    HOLDFAST_TRY(const std::vector<LocalVolume> all, volumes_.list(kAtStart));
    return activate(all);
  }

  void take_disks() {
    context_.worker.run(
        [this] { activated_ = activate_new(); },
        [this] {
          if (activated_) return;
          context_.log.warning("not all volumes are active", {{"error", activated_.error().message}});
        });
  }

  csi::HostContext context_;
  PluginOptions options_;
  Ground ground_;
  csi::VolumeHolds holds_;
  LvmQueue queue_;
  CommandsLvm lvm_;
  CapacityBook book_;
  BlockCleaner cleaner_;
  BlockCopier copier_;
  LocalVolumes volumes_;
  block::FileSystems file_systems_;
  block::LuksEncryption encryption_;
  block::Preparer preparer_;
  block::VolumeStats stats_;
  LvmController controller_;
  LvmNode node_;
  Gauge& free_;
  Gauge& waiting_;
  Gauge& stuck_;
  Gauge& unknown_groups_;
  std::optional<block::UeventMonitor> uevents_;
  EventLoop::Watch disk_news_;
  EventLoop::Timer settled_;
  Status activated_;  // of the worker until its job is done
  Status tended_;     // likewise
  bool tending_ = false;
  std::chrono::nanoseconds tend_next_{};
  std::unique_ptr<NodeCluster> cluster_;  // null: there is none
};

}  // namespace

Result<std::unique_ptr<csi::HostedDriver>> make_lvm_plugin(const csi::HostContext& context,
                                                           const PluginOptions& options,
                                                           const Configuration& configuration) {
  HOLDFAST_TRY(Ground ground, make_ground(context, options));
  auto plugin = std::make_unique<LvmPlugin>(context, options, configuration, std::move(ground));
  HOLDFAST_CHECK(plugin->watch_disks());
  if (options.cluster) HOLDFAST_CHECK(plugin->join(*options.cluster, configuration.spare_bytes));
  return std::unique_ptr<csi::HostedDriver>(std::move(plugin));
}

}  // namespace holdfast::lvm
