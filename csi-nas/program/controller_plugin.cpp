#include "csi-nas/program/controller_plugin.h"

#include <utility>

#include "csi-nas/program/dynamic_volumes.h"
#include "csi-nas/program/options.h"

namespace holdfast::nas {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kFolderMode = 0700;

class ControllerPlugin final : public csi::HostedDriver {
 public:
  ControllerPlugin(ControllerPluginOptions options, std::unique_ptr<ControllerCluster> cluster,
                   std::unique_ptr<NfsSide> nfs, std::unique_ptr<DynamicVolumes> volumes)
      : options_(std::move(options)),
        cluster_(std::move(cluster)),
        nfs_(std::move(nfs)),
        volumes_(std::move(volumes)) {}

  Status prepare() override {
    nfs_->prepare();
    return {};
  }

  [[nodiscard]] bool ready() const override { return !cluster_ || cluster_->records().is_known(); }

  [[nodiscard]] csi::ServedDriver served() override {
    csi::ServedDriver out;
    out.profile = options_.profile;
    out.capabilities = {
        .controller = true, .topology = tells_pool(options_.profile), .online_expansion = true};
    out.socket = options_.socket;
    out.endpoint = out.socket;
    out.controller = &volumes_->driver();
    return out;
  }

  void end(const std::function<void()>& done) override {
    if (cluster_) cluster_->sites().end();
    done();
  }

  void tick() override {
    volumes_->tick();
    nfs_->tick();
  }

  void refresh_metrics() override {
    nfs_->refresh_metrics();
    volumes_->refresh_metrics();
  }

 private:
  ControllerPluginOptions options_;
  std::unique_ptr<ControllerCluster> cluster_;  // null: there is none
  std::unique_ptr<NfsSide> nfs_;
  std::unique_ptr<DynamicVolumes> volumes_;
};

}  // namespace

Result<std::unique_ptr<csi::HostedDriver>> make_controller_plugin(const csi::HostContext& context,
                                                                  const ControllerPluginOptions& options) {
  const fs::path folder = options.state_dir / options.profile.driver_name;
  const fs::path mounts = folder / "mounts";
  HOLDFAST_CHECK(context.files.make_folders(mounts, kFolderMode));
  HOLDFAST_TRY(fs::path nascmd, find_program(options.nascmd, "nascmd", "--nascmd"));
  HOLDFAST_TRY(fs::path worker,
               find_program(options.nas_directories, "nas-directories", "--nas-directories"));
  HOLDFAST_TRY(auto nfs, NfsSide::open(context, {.driver_name = options.profile.driver_name,
                                                 .nascmd = std::move(nascmd),
                                                 .root = mounts,
                                                 .shared = mounts / "shared",
                                                 .rpc_slots = options.rpc_slots}));
  std::unique_ptr<ControllerCluster> cluster;
  if (options.cluster) {
    HOLDFAST_TRY(cluster, ControllerCluster::connect(context, *options.cluster));
  }
  HOLDFAST_TRY(auto volumes, DynamicVolumes::open(context, *nfs,
                                                  {.driver_name = options.profile.driver_name,
                                                   .folder = folder,
                                                   .nas_directories = std::move(worker),
                                                   .shown = mounts / "shown",
                                                   .cloud = options.cloud},

                                                  cluster.get()));
  return std::unique_ptr<csi::HostedDriver>(
      std::make_unique<ControllerPlugin>(options, std::move(cluster), std::move(nfs), std::move(volumes)));
}

}  // namespace holdfast::nas
