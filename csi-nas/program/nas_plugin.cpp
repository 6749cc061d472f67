#include "csi-nas/program/nas_plugin.h"

#include <unistd.h>

#include <system_error>
#include <utility>
#include <vector>

#include "common/block/volume_stats.h"
#include "common/mount/beneath.h"
#include "common/mount/kubelet_inventory.h"
#include "common/mount/mount_table.h"
#include "csi-nas/driver/nas_node.h"
#include "csi-nas/mounts/child_calls.h"
#include "csi-nas/mounts/nas_mounts.h"
#include "csi-nas/mounts/nfs_table.h"
#include "csi-nas/mounts/server_watch.h"

namespace holdfast::nas {
namespace {

namespace fs = std::filesystem;

// For how long nobody must have used a share before it is unmounted beside calls.
constexpr std::chrono::minutes kUnusedShare{1};
constexpr std::chrono::seconds kSweepPatience{3};

Result<fs::path> find_nascmd(const fs::path& told) {
  std::error_code error;
  fs::path program = told.empty() ? fs::read_symlink("/proc/self/exe", error).parent_path() / "nascmd" : told;
  if (::access(program.c_str(), X_OK) == 0) return program;
  return fail(Code::kNotFound, "there is no program " + program.native() + ": --nascmd names it");
}

// What the parts stand on that can fail to be made.
struct Ground {
  fs::path nascmd;
  mount::Beneath kubelet;
  std::unique_ptr<mount::MountTable> table;
};

Result<Ground> make_ground(const PluginOptions& options) {
  HOLDFAST_TRY(fs::path nascmd, find_nascmd(options.nascmd));
  auto kubelet = mount::Beneath::open(options.kubelet_dir.native());
  if (!kubelet) return tl::unexpected(std::move(kubelet).error().within("--kubelet-dir"));
  HOLDFAST_TRY(auto table, mount::MountTable::open());
  return Ground{std::move(nascmd), *std::move(kubelet), std::move(table)};
}

class NasPlugin final : public csi::HostedDriver {
 public:
  NasPlugin(const csi::HostContext& context, PluginOptions options, Ground ground)
      : context_(context),
        options_(std::move(options)),
        ground_(std::move(ground)),
        calls_(ground_.nascmd.native(), options_.kubelet_dir.native()),
        servers_(context.loop),
        mounts_({calls_, servers_, context.clock, [this] { return table(); },
                 (options_.kubelet_dir / "plugins" / options_.profile.driver_name / "shared").native()}),
        probe_(std::make_shared<NasProbe>(mounts_)),
        stats_(probe_, context.clock),
        node_({mounts_, places_, *probe_, stats_, [this] { return table(); }}, options_.node_id),
        stuck_calls_(gauge("holdfast_nfs_calls_stuck", "Killed calls of NFS that are still in the kernel")),
        stuck_looks_(gauge("holdfast_volume_stats_stuck", "Looks at volumes that do not end")) {}

  NasPlugin(const NasPlugin&) = delete;
  NasPlugin& operator=(const NasPlugin&) = delete;
  ~NasPlugin() override { probe_->close(); }

  Status prepare() override {
    HOLDFAST_TRY(const auto mounts, table());
    HOLDFAST_TRY(
        const std::vector<mount::KubeletPlace> places,
        mount::take_inventory(options_.kubelet_dir.native(), {options_.profile.driver_name}, *mounts));
    for (const mount::KubeletPlace& place : places) learn(place);
    return {};
  }

  [[nodiscard]] csi::ServedDriver served() override {
    csi::ServedDriver out;
    out.profile = options_.profile;
    out.capabilities = {.controller = false, .topology = false, .online_expansion = false};
    out.socket =
        options_.socket.empty() ? csi::csi_socket(options_.kubelet_dir, options_.profile) : options_.socket;
    out.registration_socket = csi::registration_socket(options_.kubelet_dir, options_.profile);
    out.endpoint = out.socket;
    out.stages = true;
    out.node = &node_;
    return out;
  }

  void tick() override {
    calls_.reap();
    stats_.tick();
    const auto mounts = table();
    if (mounts) servers_.keep(servers_below(**mounts, options_.kubelet_dir.native()));
    if (sweeping_) return;
    sweeping_ = true;
    context_.worker.run([this] { mounts_.sweep(kUnusedShare, mounts_.deadline(kSweepPatience)); },
                        [this] { sweeping_ = false; });
  }

  void refresh_metrics() override {
    stuck_calls_.set(static_cast<double>(calls_.stuck()));
    stuck_looks_.set(static_cast<double>(stats_.stuck()));
    for (const auto& [server, health] : servers_.all()) {
      gauge("holdfast_nfs_server_up", "Whether an NFS server answers", {{"server", server.text()}})
          .set(health.state == ServerState::kAlive ? 1 : 0);
    }
  }

 private:
  Gauge& gauge(std::string_view name, std::string_view help, Labels labels = {}) {
    labels["driver_name"] = options_.profile.driver_name;
    return context_.metrics.gauge(name, help, labels);
  }

  // With targets as kubelet's folder is called here.
  Result<std::shared_ptr<const mount::Mounts>> table() {
    HOLDFAST_TRY(const auto mounts, ground_.table->now());
    auto told = std::make_shared<mount::Mounts>(*mounts);
    for (mount::MountEntry& entry : *told) entry.target = ground_.kubelet.told(entry.target);
    return std::shared_ptr<const mount::Mounts>(std::move(told));
  }

  void learn(const mount::KubeletPlace& place) {
    using Kind = mount::KubeletPlace::Kind;
    if (place.state != mount::KubeletPlace::State::kMounted) {
      context_.log.warning("a place of kubelet's is not as it should be",
                           {{"path", place.path},
                            {"kind", mount::to_string(place.kind)},
                            {"state", mount::to_string(place.state)},
                            {"volume", place.volume}});
      return;
    }
    if (place.kind == Kind::kPublished) places_.published(place.volume, place.path);
    if (place.kind != Kind::kStaged) return;
    places_.staged(place.volume, place.path);
    stats_.add(place.volume, place.path);
  }

  csi::HostContext context_;
  PluginOptions options_;
  Ground ground_;
  ChildCalls calls_;
  ServerWatch servers_;
  NasMounts mounts_;
  VolumePlaces places_;
  std::shared_ptr<NasProbe> probe_;
  block::VolumeStats stats_;
  NasNode node_;
  Gauge& stuck_calls_;
  Gauge& stuck_looks_;
  bool sweeping_ = false;
};

}  // namespace

Result<std::unique_ptr<csi::HostedDriver>> make_nas_plugin(const csi::HostContext& context,
                                                           const PluginOptions& options) {
  HOLDFAST_TRY(Ground ground, make_ground(options));
  return std::unique_ptr<csi::HostedDriver>(new NasPlugin(context, options, std::move(ground)));
}

}  // namespace holdfast::nas
