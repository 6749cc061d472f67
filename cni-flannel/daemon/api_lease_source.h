#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cni-flannel/daemon/annotation_keys.h"
#include "cni-flannel/daemon/condition_events.h"
#include "cni-flannel/daemon/lease_source.h"
#include "cni-flannel/daemon/own_objects.h"
#include "cni-flannel/daemon/watched_nodes.h"
#include "common/base/backoff.h"
#include "common/base/event_loop.h"
#include "common/kube/events.h"
#include "common/kube/http.h"
#include "common/kube/object_client.h"

namespace holdfast::flannel {

/// Which objects of the API server tell of nodes.
enum class ApiObjects : std::uint8_t {
  kAuto,          ///< Nodes, until the cluster has a NodeNetworkConfiguration of each that is managed
  kNodeNetworks,  ///< NodeNetworkConfigurations
  kNodes,         ///< annotations of Nodes, as upstream's
};

struct ApiLeaseOptions {
  ApiObjects objects = ApiObjects::kAuto;
  std::string node{};
  AnnotationKeys keys{};
  bool set_network_condition = true;
  /// What comes and goes within it is not written, and no Event.
  std::chrono::milliseconds status_settles{10'000};
  std::uint64_t seed = 0;  ///< another for every process
};

/// The cluster's nodes by its API server, ourselves written by OwnObjects. Its states, and what leads from
/// one to the next:
///
///     kAsksForCluster --kNodes-----------------------------------> kNodes
///       |      |  kAuto
///       |      +-> kNodesUntilKind --there is the kind--> kBoth --no managed node is without--+
///       |          (asks now and then)                                                       v
///       +--kNodeNetworks, or the kind was seen in an earlier life----------------> kNodeNetworks
///
/// In kBoth a node counts as its NodeNetworkConfiguration says where it has one, and gone is what both lists
/// leave out. kNodeNetworks is for good.
///
/// A resumed watch costs no list; a position of another cluster counts for nothing.
class ApiLeaseSource final : public LeaseSource {
 public:
  static constexpr std::chrono::minutes kAskForKindEvery{5};

  /// `loop`, `http` and `client` outlive it.
  ApiLeaseSource(EventLoop& loop, kube::Http& http, kube::ObjectClient& client, ApiLeaseOptions options);
  ~ApiLeaseSource() override = default;

  Status start(LeaseConsumer& consumer) override;
  void publish(const NodeNetwork& own, const NodeNetworkStatus& status) override;
  /// By Events.
  void tell(const std::vector<Condition>& conditions) override { events_.told(conditions); }
  /// Asks for the kind, where it is to be asked for.
  void look_again() override;
  /// By an Event of our Node.
  void refuse(const Condition& why, std::function<void()> done) override;

 private:
  enum class State : std::uint8_t { kAsksForCluster, kNodes, kNodesUntilKind, kBoth, kNodeNetworks };

  void ask_for_cluster();
  void cluster_read(const Result<nlohmann::json>& name_space);
  void take_cluster(const nlohmann::json& name_space);
  [[nodiscard]] State first_state() const;
  void enter(State state);
  [[nodiscard]] OwnObjects::NodeTold told_by_watch() const;
  void ask_for_kind();
  void kind_read(const Result<nlohmann::json>& discovery);
  void watch_nodes(bool resumes);
  void watch_node_networks(bool resumes);
  [[nodiscard]] std::unique_ptr<WatchedNodes> watch(NodeDecoder decoder, WatchedNodes::Callbacks callbacks,
                                                    bool resumes);

  void node_put(NodeNetworkObject node);
  void node_network_put(NodeNetworkObject node);
  void node_removed(const kube::ObjectId& id);
  void node_network_removed(const kube::ObjectId& id);
  void look_at_lists();
  void look_at_both_lists();
  void leave_nodes();
  void position(bool of_nodes, const std::string& resource_version);
  void tell_health();

  EventLoop& loop_;
  kube::Http& http_;
  kube::ObjectClient& client_;
  ApiLeaseOptions options_;
  LeaseConsumer* consumer_ = nullptr;
  SourceMemory memory_;
  OwnObjects own_;
  kube::EventRecorder recorder_;
  ConditionEvents events_;
  std::string own_trouble_;
  std::string cluster_trouble_;
  SourceHealth told_health_;
  bool health_told_ = false;
  State state_ = State::kAsksForCluster;
  NodeNames managed_;                            // Nodes with annotations, in kBoth
  std::unique_ptr<WatchedNodes> nodes_;          // but in kNodeNetworks
  std::unique_ptr<WatchedNodes> node_networks_;  // in kBoth and kNodeNetworks
  std::uint64_t next_seed_;
  kube::ObjectClient::CallPtr call_;  // for the cluster or the kind
  Backoff cluster_retry_;
  EventLoop::Timer ask_for_cluster_;
  EventLoop::Timer ask_for_kind_;
  EventLoop::Timer leave_nodes_;
};

}  // namespace holdfast::flannel
