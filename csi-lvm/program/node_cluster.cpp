#include "csi-lvm/program/node_cluster.h"

#include <utility>

#include "common/kube/cluster_uid.h"

namespace holdfast::lvm {
namespace {

constexpr const char* kProgram = "csi-lvm";
constexpr const char* kUidName = "cluster";
constexpr std::chrono::seconds kAskAgain{10};

}  // namespace

Result<std::string> NodeCluster::kept_uid(Files& files, const std::filesystem::path& folder, Logger& log) {
  return kube::kept_cluster_uid(files, folder / kUidName, log);
}

Result<std::unique_ptr<NodeCluster>> NodeCluster::connect(const csi::HostContext& host,
                                                          const kube::Config& config, const Parts& parts,
                                                          Options options, std::string kept) {
  HOLDFAST_TRY(std::unique_ptr<kube::ClusterLink> link,
               kube::ClusterLink::connect(host.loop, host.files, host.metrics, config, kProgram));
  return std::make_unique<NodeCluster>(host, parts, std::move(options), std::move(kept), std::move(link));
}

NodeCluster::NodeCluster(const csi::HostContext& host, const Parts& parts, Options options, std::string kept,
                         std::unique_ptr<kube::ClusterLink> link)
    : host_(host),
      parts_(parts),
      options_(std::move(options)),
      uid_(std::move(kept)),
      link_(std::move(link)) {}

void NodeCluster::start() {
  if (!std::exchange(started_, true)) ask();
}

void NodeCluster::look_soon() {
  if (agent_) agent_->look_soon();
}

// At every start, though it was kept: the node may have been moved to another cluster.
void NodeCluster::ask() {
  question_ = kube::read_cluster_uid(link_->client(), [this](const Result<std::string>& uid) { told(uid); });
}

void NodeCluster::told(const Result<std::string>& uid) {
  question_.reset();
  if (!uid) {
    host_.log.warning("the API server does not tell which cluster it is", {{"error", uid.error().message}});
    ask_again_ = host_.loop.after(kAskAgain, [this] { ask(); });
    return;
  }
  if (*uid != uid_) keep(*uid);
  agent_ = std::make_unique<VolumeAgent>(VolumeAgent::Context{.loop = host_.loop,
                                                              .http = link_->watches(),
                                                              .client = link_->client(),
                                                              .lvm = parts_.lvm,
                                                              .volumes = parts_.volumes,
                                                              .book = parts_.book,
                                                              .log = host_.log,
                                                              .holds = &parts_.holds},
                                         agent_options());
  agent_->start();
  host_.log.info("the node takes part in a cluster", {{"cluster", uid_}, {"node", options_.node}});
}

// Where it cannot be kept it is asked for again at the next start: until then nothing is lost by that.
void NodeCluster::keep(const std::string& uid) {
  if (!uid_.empty()) {
    host_.log.warning("the node has come to another cluster: volumes of the last one are left alone",
                      {{"last", uid_}, {"now", uid}});
  }
  uid_ = uid;
  parts_.volumes.join(uid);
  const Status kept = kube::keep_cluster_uid(host_.files, options_.folder / kUidName, uid);
  if (!kept) host_.log.warning("the cluster's uid cannot be kept", {{"error", kept.error().message}});
}

VolumeAgent::Options NodeCluster::agent_options() const {
  VolumeAgent::Options out;
  out.node = options_.node;
  out.cluster = uid_;
  out.topology = options_.topology;
  out.spare_bytes = options_.spare_bytes;
  out.heartbeat = options_.heartbeat;
  out.seed = link_->seed();
  out.metadata = [&files = host_.files, folder = backup_folder(options_.folder)](const std::string& group) {
    const auto text = files.read(folder / group, kMostMetadataBytes);
    return text && *text ? **text : std::string();
  };
  return out;
}

}  // namespace holdfast::lvm
