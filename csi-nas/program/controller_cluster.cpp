#include "csi-nas/program/controller_cluster.h"

#include <utility>

namespace holdfast::nas {
namespace {

constexpr const char* kProgram = "csi-nas";
constexpr std::chrono::seconds kRequestPatience{5};

}  // namespace

Result<std::unique_ptr<ControllerCluster>> ControllerCluster::connect(const csi::HostContext& context,
                                                                      const kube::Config& config) {
  HOLDFAST_TRY(auto link,
               kube::ClusterLink::connect(context.loop, context.files, context.metrics, config, kProgram));
  return std::make_unique<ControllerCluster>(context, std::move(link));
}

ControllerCluster::ControllerCluster(const csi::HostContext& context, std::unique_ptr<kube::ClusterLink> link)
    : link_(std::move(link)),
      records_(
          {.loop = context.loop, .http = link_->watches(), .client = link_->client(), .log = context.log},
          kRequestPatience, link_->seed()),
      sites_({.loop = context.loop, .http = link_->watches(), .client = link_->client(), .log = context.log},
             {.seed = link_->seed() + 1}) {
  records_.start();
  sites_.start();
}

}  // namespace holdfast::nas
