#include "egw-gateway/source/open_source.h"

#include <optional>
#include <utility>

#include "common/kube/cluster_link.h"
#include "common/kube/url.h"
#include "egw-gateway/source/api_gateway_source.h"
#include "egw-gateway/source/dir_gateway_source.h"

namespace holdfast::gateway {
namespace {

/// Where packets for the API server go to.
std::vector<std::string> hosts_of(const kube::Config& config) {
  std::vector<std::string> out;
  for (const std::string& url : {config.server, config.proxy}) {
    if (const Result<kube::Url> parsed = kube::parse_url(url)) out.push_back(parsed->host);
  }
  return out;
}

Status set_kind(const std::string& value, SourceOptions& out) {
  if (value != "crd" && value != "dir") return fail(Code::kInvalidArgument, "is neither crd nor dir");
  out.kind = value == "crd" ? SourceKind::kCrd : SourceKind::kDir;
  return {};
}

}  // namespace

void add_source_flags(Flags& flags, SourceOptions& out) {
  flags.value("source", "crd|dir", "who tells of the EdgeGateway: the API server, or files [crd]",
              [&out](const std::string& value) { return set_kind(value, out); });
  flags.value("config-dir", "FOLDER", "the files, for --source=dir [/etc/egw/gateways]",
              Flags::to_path(out.config_dir));
  flags.value("kubeconfig", "FILE", "in place of the pod's own access", Flags::to_path(out.kubeconfig));
}

Result<OpenedSource> open_source(const SourceOptions& options, const std::string& pool,
                                 const std::string& program, EventLoop& loop, Files& files,
                                 Metrics& metrics) {
  if (options.kind == SourceKind::kDir) {
    return OpenedSource{std::make_unique<DirGatewaySource>(loop, files, options.config_dir, pool)};
  }
  HOLDFAST_TRY(const std::optional<kube::Config> config,
               kube::find_cluster(files, options.kubeconfig, environment_variable));
  if (!config) {
    return fail(Code::kFailedPrecondition,
                "there is no API server: run as a pod, tell --kubeconfig, or use --source=dir");
  }
  HOLDFAST_TRY(std::unique_ptr<kube::ClusterLink> link,
               kube::ClusterLink::connect(loop, files, metrics, *config, program));
  return OpenedSource{std::make_unique<ApiGatewaySource>(loop, std::move(link), pool), hosts_of(*config)};
}

}  // namespace holdfast::gateway
