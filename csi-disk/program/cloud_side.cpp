#include "csi-disk/program/cloud_side.h"

#include <utility>

#include "common/base/version.h"

namespace holdfast::disk {
namespace {

cloud::Vendor vendor_of(Backend backend) {
  return backend == Backend::kTencent ? cloud::Vendor::kTencent : cloud::Vendor::kAlibaba;
}

std::unique_ptr<CloudBackend> make_cloud(Backend backend, cloud::HttpClient& http,
                                         cloud::CredentialSource& credentials, Clock& clock,
                                         const cloud::CloudOptions& options) {
  const CloudPlace place{.region = options.region, .endpoint = options.endpoint};
  return backend == Backend::kTencent ? make_tencent(http, credentials, clock, place)
                                      : make_alibaba(http, credentials, clock, place);
}

class ControllerPlugin final : public csi::HostedDriver {
 public:
  ControllerPlugin(csi::Profile profile, std::filesystem::path socket,
                   std::shared_ptr<csi::ControllerDriver> controller)
      : profile_(std::move(profile)), socket_(std::move(socket)), controller_(std::move(controller)) {}

  Status prepare() override { return {}; }

  [[nodiscard]] csi::ServedDriver served() override {
    csi::ServedDriver out;
    out.profile = profile_;
    out.capabilities = {
        .controller = true, .topology = !profile_.topology_keys.empty(), .online_expansion = true};
    out.socket = socket_;
    out.endpoint = socket_;
    out.controller = controller_.get();
    return out;
  }

 private:
  csi::Profile profile_;
  std::filesystem::path socket_;
  std::shared_ptr<csi::ControllerDriver> controller_;  // shared: it ends with what it stands on
};

}  // namespace

CloudSide::CloudSide(const csi::HostContext& context, const cloud::CloudOptions& options, Backend backend,
                     DiskSettings settings)
    : http_("csi-disk/" + std::string(version())),
      credentials_(cloud::make_credentials(options, vendor_of(backend), context.files, http_, context.clock)),
      cloud_(make_cloud(backend, http_, *credentials_, context.clock, options)),
      patient_(cloud_->disks(), context.clock),
      volumes_(patient_, std::move(settings), context.clock),
      controller_(volumes_) {}

Result<std::unique_ptr<CloudSide>> CloudSide::make(const csi::HostContext& context, const Options& options,
                                                   const csi::Profile& profile, Backend backend,
                                                   std::string cluster) {
  if (options.cloud.region.empty()) {
    return fail(Code::kInvalidArgument, "--cloud-region tells where the disks of volumes are");
  }
  HOLDFAST_TRY(DiskCloud cloud, known_cloud(cloud_name_of(profile)));
  DiskSettings settings{.cloud = std::move(cloud),
                        .keys = place_keys(profile.topology_keys),
                        .handle_prefix = profile.handle_prefix,
                        .region = options.cloud.region,
                        .place = options.node.zone,
                        .cluster = std::move(cluster)};
  return std::unique_ptr<CloudSide>(new CloudSide(context, options.cloud, backend, std::move(settings)));
}

Result<std::optional<std::uint32_t>> CloudSide::most_disks_of(const std::string& instance_id) {
  constexpr std::chrono::milliseconds kLongest = std::chrono::seconds(10);
  auto facts = patient_.node(instance_id, kLongest);
  if (!facts) return tl::unexpected(cloud::to_error(std::move(facts).error()));
  return *facts ? (**facts).most_disks : std::nullopt;
}

std::unique_ptr<csi::HostedDriver> make_controller_plugin(const csi::Profile& profile,
                                                          const std::filesystem::path& socket,
                                                          std::shared_ptr<csi::ControllerDriver> controller) {
  return std::make_unique<ControllerPlugin>(profile, socket, std::move(controller));
}

}  // namespace holdfast::disk
