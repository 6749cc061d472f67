#include "cni-flannel/daemon/api_source.h"

#include <random>
#include <utility>

#include "cni-flannel/daemon/api_lease_source.h"
#include "common/base/flags.h"
#include "common/kube/config.h"
#include "common/kube/curl_http.h"

namespace holdfast::flannel {
namespace {

constexpr const char* kProgram = "flanneld";

/// A source with what it needs.
class ConnectedSource final : public LeaseSource {
 public:
  ConnectedSource(EventLoop& loop, std::unique_ptr<kube::Http> http, ApiLeaseOptions options)
      : http_(std::move(http)),
        client_(loop, *http_, {.field_manager = kProgram}, options.seed),
        source_(loop, *http_, client_, std::move(options)) {}

  Status start(LeaseConsumer& consumer) override { return source_.start(consumer); }
  void publish(const NodeNetwork& own, const NodeNetworkStatus& status) override {
    source_.publish(own, status);
  }
  void tell(const std::vector<Condition>& conditions) override { source_.tell(conditions); }
  void look_again() override { source_.look_again(); }
  void refuse(const Condition& why, std::function<void()> done) override {
    source_.refuse(why, std::move(done));
  }

 private:
  std::unique_ptr<kube::Http> http_;
  kube::ObjectClient client_;
  ApiLeaseSource source_;
};

ApiObjects objects_of(const Options& options) {
  if (options.source == SourceKind::kCrd) return ApiObjects::kNodeNetworks;
  const bool nodes = options.source == SourceKind::kNode || options.kube_subnet_mgr;
  return nodes ? ApiObjects::kNodes : ApiObjects::kAuto;
}

}  // namespace

Result<std::unique_ptr<LeaseSource>> make_api_source(const Options& options, EventLoop& loop, Files& files,
                                                     Metrics& metrics) {
  HOLDFAST_TRY(AnnotationKeys keys, AnnotationKeys::with_prefix(options.kube_annotation_prefix));
  Result<kube::Config> config = kube::load_config(files, {.kubeconfig = options.kubeconfig_file,
                                                          .server = options.kube_api_url,
                                                          .environment = environment_variable});
  if (!config) {
    config.error().message +=
        "; --kubeconfig-file or --kube-api-url tells the API server, and --source=dir does without one";
    return tl::unexpected(std::move(config).error());
  }
  HOLDFAST_TRY(std::unique_ptr<kube::Http> http,
               kube::CurlHttp::create(loop, *config, files, metrics, kProgram));
  std::random_device random;
  ApiLeaseOptions lease{.objects = objects_of(options),
                        .node = options.node_name,
                        .keys = std::move(keys),
                        .set_network_condition = options.set_node_network_unavailable,
                        .seed = std::uint64_t{random()} << 32U | random()};
  return std::make_unique<ConnectedSource>(loop, std::move(http), std::move(lease));
}

}  // namespace holdfast::flannel
