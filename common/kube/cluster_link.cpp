#include "common/kube/cluster_link.h"

#include <random>
#include <system_error>
#include <utility>

#include "common/kube/curl_http.h"

namespace holdfast::kube {
namespace {

constexpr std::uint64_t kSeeds = 100;  // of whoever uses seed()

std::uint64_t random_seed() {
  std::random_device random;
  return std::uint64_t{random()} << 32U | random();
}

}  // namespace

Result<std::optional<Config>> find_cluster(Files& files, const std::filesystem::path& kubeconfig,
                                           const Flags::Lookup& environment) {
  ConfigSource source;
  source.kubeconfig = kubeconfig;
  source.environment = environment;
  std::error_code error;
  const bool in_pod = environment("KUBERNETES_SERVICE_HOST") &&
                      std::filesystem::exists(source.service_account / "token", error);
  if (kubeconfig.empty() && !in_pod) return std::nullopt;
  HOLDFAST_TRY(Config config, load_config(files, source));
  return std::optional<Config>(std::move(config));
}

Result<std::unique_ptr<ClusterLink>> ClusterLink::connect(EventLoop& loop, Files& files, Metrics& metrics,
                                                          const Config& config, const std::string& program) {
  HOLDFAST_TRY(auto watches, CurlHttp::create(loop, config, files, metrics, program));
  HOLDFAST_TRY(auto writes, CurlHttp::create(loop, config, files, metrics, program));
  return std::make_unique<ClusterLink>(loop, std::move(watches), std::move(writes), program);
}

ClusterLink::ClusterLink(EventLoop& loop, std::unique_ptr<Http> watches, std::unique_ptr<Http> writes,
                         const std::string& program)
    : seed_(random_seed()),
      watches_(std::move(watches)),
      writes_(std::move(writes)),
      client_(loop, *writes_, {.field_manager = program}, seed_ + kSeeds) {}

}  // namespace holdfast::kube
