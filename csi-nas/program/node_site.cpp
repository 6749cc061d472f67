#include "csi-nas/program/node_site.h"

#include <utility>

#include "common/base/state_folder.h"
#include "common/kube/names.h"

namespace holdfast::nas {
namespace {

constexpr const char* kProgram = "csi-node";
constexpr std::chrono::minutes kUnusedShare{5};  // far longer than a task waits between two looks
constexpr std::chrono::seconds kSweepPatience{3};

}  // namespace

Result<std::unique_ptr<NodeSite>> NodeSite::open(const csi::HostContext& context, NfsSide& nfs,
                                                 const kube::Config& config, NodeSiteOptions options) {
  Ground ground;
  HOLDFAST_TRY(ground.lock, take_state_folder(context.files, options.folder, "csi-nas"));
  HOLDFAST_TRY(ground.jobs, DirectoryJobs::open({.program = options.nas_directories.native(),
                                                 .folder = options.folder / "work",
                                                 .end_with_us = true},
                                                context.files, context.clock));
  HOLDFAST_TRY(ground.link,
               kube::ClusterLink::connect(context.loop, context.files, context.metrics, config, kProgram));
  std::unique_ptr<NodeSite> site(new NodeSite(context, nfs, std::move(options), std::move(ground)));
  site->pool_.start();
  return site;
}

NodeSite::NodeSite(const csi::HostContext& context, NfsSide& nfs, NodeSiteOptions options, Ground ground)
    : context_(context),
      options_(std::move(options)),
      ground_(std::move(ground)),
      shares_(nfs.mounts(), nfs.servers(), context.clock, options_.shown.native()),
      pool_({.loop = context.loop,
             .client = ground_.link->client(),
             .files = context.files,
             .log = context.log},
            options_.node, options_.folder, [this](const std::string& pool) { join(pool); }) {}

void NodeSite::join(const std::string& pool) {
  agent_.reset();
  if (pool.empty()) return;
  context_.log.info("the node works for a site", {{"site", pool}, {"node", options_.node}});
  agent_ = std::make_unique<SiteAgent>(
      SiteAgent::Context{.loop = context_.loop,
                         .http = ground_.link->watches(),
                         .client = ground_.link->client(),
                         .shares = shares_,
                         .work = *ground_.jobs,
                         .log = context_.log},
      SiteAgent::Options{.node = options_.node, .site = pool, .seed = ground_.link->seed()});
  agent_->start();
}

Result<std::map<std::string, std::string>> NodeSite::topology() const {
  HOLDFAST_TRY(const std::string pool, pool_.name());
  std::map<std::string, std::string> out;
  if (!pool.empty()) out[kube::kNodePoolLabel] = pool;
  return out;
}

void NodeSite::tick() {
  // Takes leave of those that have ended, and ends those that are late.
  static_cast<void>(ground_.jobs->running());
  if (std::exchange(sweeping_, true)) return;
  context_.worker.run([this] { shares_.sweep(kUnusedShare, kSweepPatience); }, [this] { sweeping_ = false; });
}

void NodeSite::refresh_metrics() {
  context_.metrics
      .gauge("holdfast_nas_tasks_held", "Tasks of the site that this node does",
             {{"driver_name", options_.driver_name}})
      .set(agent_ ? static_cast<double>(agent_->held()) : 0);
}

}  // namespace holdfast::nas
