#include "csi-nas/program/nas_plugin.h"

#include <optional>
#include <utility>
#include <vector>

#include "common/block/volume_stats.h"
#include "common/mount/kubelet_inventory.h"
#include "csi-nas/driver/nas_node.h"
#include "csi-nas/driver/usage_record.h"
#include "csi-nas/program/dynamic_volumes.h"
#include "csi-nas/program/nfs_side.h"
#include "csi-nas/program/node_site.h"

namespace holdfast::nas {
namespace {

namespace fs = std::filesystem;

struct Parts {
  std::unique_ptr<NfsSide> nfs;
  std::unique_ptr<DynamicVolumes> dynamic;  // null: the node's half alone
  std::unique_ptr<NodeSite> site;           // null: no cluster
};

Result<Parts> make_parts(const csi::HostContext& context, const PluginOptions& options) {
  const fs::path folder = options.kubelet_dir / "plugins" / options.profile.driver_name;
  HOLDFAST_TRY(fs::path nascmd, find_program(options.nascmd, "nascmd", "--nascmd"));
  Parts parts;
  auto nfs = NfsSide::open(context, {.driver_name = options.profile.driver_name,
                                     .nascmd = std::move(nascmd),
                                     .root = options.kubelet_dir,
                                     .shared = folder / "shared",
                                     .rpc_slots = options.rpc_slots});
  if (!nfs) return tl::unexpected(std::move(nfs).error().within("--kubelet-dir"));
  parts.nfs = *std::move(nfs);
  if (options.mode != Mode::kAll && !options.cluster) return parts;
  HOLDFAST_TRY(fs::path worker,
               find_program(options.nas_directories, "nas-directories", "--nas-directories"));
  const fs::path state = options.state_dir / options.profile.driver_name;
  if (options.mode != Mode::kAll) {
    HOLDFAST_TRY(parts.site, NodeSite::open(context, *parts.nfs, *options.cluster,
                                            {.driver_name = options.profile.driver_name,
                                             .node = options.node_id,
                                             .folder = state,
                                             .nas_directories = std::move(worker),
                                             .shown = folder / "site"}));
    return parts;
  }
  HOLDFAST_TRY(parts.dynamic, DynamicVolumes::open(context, *parts.nfs,
                                                   {.driver_name = options.profile.driver_name,
                                                    .folder = state,
                                                    .nas_directories = std::move(worker),
                                                    .shown = folder / "controller",
                                                    .cloud = options.cloud}));
  return parts;
}

class NasPlugin final : public csi::HostedDriver {
 public:
  NasPlugin(const csi::HostContext& context, PluginOptions options, Parts parts)
      : context_(context),
        options_(std::move(options)),
        parts_(std::move(parts)),
        probe_(std::make_shared<NasProbe>(mounts())),
        stats_(probe_, context.clock),
        usages_(context.files, context.clock,
                options_.state_dir / "nas-usage" / options_.profile.driver_name),
        node_({.mounts = mounts(),
               .places = places_,
               .probe = *probe_,
               .stats = stats_,
               .table = [this] { return parts_.nfs->table(); },
               .topology = [this] { return topology(); }},
              options_.node_id),
        stuck_looks_(context.metrics.gauge("holdfast_volume_stats_stuck", "Looks at volumes that do not end",
                                           {{"driver_name", options_.profile.driver_name}})) {}

  NasPlugin(const NasPlugin&) = delete;
  NasPlugin& operator=(const NasPlugin&) = delete;
  ~NasPlugin() override { probe_->close(); }

  Status prepare() override {
    parts_.nfs->prepare();
    HOLDFAST_TRY(const auto mounts, parts_.nfs->table());
    HOLDFAST_TRY(
        const std::vector<mount::KubeletPlace> places,
        mount::take_inventory(options_.kubelet_dir.native(), {options_.profile.driver_name}, *mounts));
    for (const mount::KubeletPlace& place : places) learn(place);
    const auto usages = usages_.read();
    if (!usages) warn_of_usages(usages.error());
    watch(places, *mounts, usages.value_or(Usages{}));
    return {};
  }

  [[nodiscard]] csi::ServedDriver served() override {
    csi::ServedDriver out;
    out.profile = options_.profile;
    out.capabilities = {
        .controller = true, .topology = tells_pool(options_.profile), .online_expansion = true};
    out.socket =
        options_.socket.empty() ? csi::csi_socket(options_.kubelet_dir, options_.profile) : options_.socket;
    out.registration_socket = csi::registration_socket(options_.kubelet_dir, options_.profile);
    out.endpoint = out.socket;
    out.stages = true;
    out.node = &node_;
    if (parts_.dynamic) out.controller = &parts_.dynamic->driver();
    return out;
  }

  void tick() override {
    stats_.tick();
    if (parts_.dynamic) parts_.dynamic->tick();
    if (parts_.site) parts_.site->tick();
    parts_.nfs->tick();
    keep_usages();
  }

  void refresh_metrics() override {
    stuck_looks_.set(static_cast<double>(stats_.stuck()));
    parts_.nfs->refresh_metrics();
    if (parts_.dynamic) parts_.dynamic->refresh_metrics();
    if (parts_.site) parts_.site->refresh_metrics();
  }

 private:
  [[nodiscard]] NasMounts& mounts() { return parts_.nfs->mounts(); }

  void warn_of_usages(const Error& error) {
    context_.log.warning("the last usages of volumes are not kept", {{"why", error.message}});
  }

  void keep_usages() {
    if (keeping_) return;
    keeping_ = true;
    context_.worker.run([this] { kept_ = usages_.keep(stats_.usages()); },
                        [this] {
                          keeping_ = false;
                          if (!kept_ && !warned_) warn_of_usages(kept_.error());
                          warned_ = !kept_;
                        });
  }

  [[nodiscard]] Result<NasTopology> topology() const {
    if (!parts_.site || !tells_pool(options_.profile)) return NasTopology{};
    return parts_.site->topology();
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
    if (place.kind == Kind::kStaged) places_.staged(place.volume, place.path);
  }

  // Each volume once, where it is looked at later, too.
  void watch(const std::vector<mount::KubeletPlace>& places, const mount::Mounts& mounts,
             const Usages& usages) {
    for (const mount::KubeletPlace& place : places) {
      const auto path = places_.path_of(place.volume, mounts);
      const auto last = usages.find(place.volume);
      if (path)
        stats_.add(place.volume, *path, last == usages.end() ? std::nullopt : std::optional(last->second));
    }
  }

  csi::HostContext context_;
  PluginOptions options_;
  Parts parts_;
  VolumePlaces places_;
  std::shared_ptr<NasProbe> probe_;
  block::VolumeStats stats_;
  UsageRecord usages_;  // of the worker's thread
  Status kept_;
  bool keeping_ = false;
  bool warned_ = false;
  NasNode node_;
  Gauge& stuck_looks_;
};

}  // namespace

Result<std::unique_ptr<csi::HostedDriver>> make_nas_plugin(const csi::HostContext& context,
                                                           const PluginOptions& options) {
  HOLDFAST_TRY(Parts parts, make_parts(context, options));
  return std::unique_ptr<csi::HostedDriver>(std::make_unique<NasPlugin>(context, options, std::move(parts)));
}

}  // namespace holdfast::nas
