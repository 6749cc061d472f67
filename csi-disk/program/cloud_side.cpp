#include "csi-disk/program/cloud_side.h"

#include <utility>

#include "common/base/version.h"

namespace holdfast::disk {
namespace {

cloud::Endpoint endpoint_of(const cloud::CloudOptions& options) {
  return {.url = options.endpoint.empty() ? AlibabaDisks::url_of(options.region) : options.endpoint,
          .version = std::string(AlibabaDisks::kVersion)};
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

CloudSide::CloudSide(const csi::HostContext& context, const cloud::CloudOptions& options,
                     DiskSettings settings)
    : http_("csi-disk/" + std::string(version())),
      credentials_(
          cloud::make_credentials(options, cloud::Vendor::kAlibaba, context.files, http_, context.clock)),
      api_(http_, *credentials_, context.clock, endpoint_of(options)),
      disks_(api_, options.region),
      volumes_(disks_, std::move(settings), context.clock),
      controller_(volumes_) {}

Result<std::unique_ptr<CloudSide>> CloudSide::make(const csi::HostContext& context, const Options& options,
                                                   const csi::Profile& profile, Backend backend) {
  if (backend != Backend::kAlibaba) {
    return fail(
        Code::kUnimplemented,
        "the API of Tencent Cloud CBS is not spoken: run --mode node beside the cloud's own controller");
  }
  if (options.cloud.region.empty()) {
    return fail(Code::kInvalidArgument, "--cloud-region tells where the disks of volumes are");
  }
  HOLDFAST_TRY(DiskCloud cloud, known_cloud(cloud_name_of(profile)));
  DiskSettings settings{.cloud = std::move(cloud),
                        .keys = place_keys(profile.topology_keys),
                        .handle_prefix = profile.handle_prefix,
                        .region = options.cloud.region,
                        .place = options.node.zone,
                        .cluster = {}};
  return std::unique_ptr<CloudSide>(new CloudSide(context, options.cloud, std::move(settings)));
}

std::unique_ptr<csi::HostedDriver> make_controller_plugin(const csi::Profile& profile,
                                                          const std::filesystem::path& socket,
                                                          std::shared_ptr<csi::ControllerDriver> controller) {
  return std::make_unique<ControllerPlugin>(profile, socket, std::move(controller));
}

}  // namespace holdfast::disk
