#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/csi/driver.h"
#include "common/kube/http.h"
#include "common/kube/leader_election.h"
#include "common/kube/object_client.h"
#include "csi-lvm/cluster/capacity_publisher.h"
#include "csi-lvm/cluster/cluster_controller.h"
#include "csi-lvm/cluster/volume_agent.h"

/// What the program csi-lvm runs in a cluster:
///
///     --mode controller    ClusterMode: answers CSI's controller calls, and publishes capacities while it
///                          leads; its driver() goes into csi::ServedDriver::controller
///     --mode node          VolumeAgent, beside the node's own driver; it needs the cluster's uid first
///                          (kube::read_cluster_uid), which is to be kept for starts without an API server
namespace holdfast::lvm {

class ClusterMode {
 public:
  struct Options {
    std::string driver{};        ///< "localplugin.csi.alibabacloud.com"
    std::string topology_key{};  ///< "kubernetes.io/hostname"
    std::string name_space{};    ///< of this program: its Lease and the capacities are there
    std::string identity{};      ///< of no other process: host and a random part
    ClusterState::Options state{};
    std::uint64_t seed = 0;  ///< another for every process
  };
  /// All outlive it. `http` is for watches alone, another than that of `client`: a write could take the
  /// connection by which a list is confirmed.
  struct Context {
    EventLoop& loop;
    kube::Http& http;
    kube::ObjectClient& client;
    Logger& log;
  };

  ClusterMode(const Context& context, const Options& options);
  ClusterMode(const ClusterMode&) = delete;
  ClusterMode& operator=(const ClusterMode&) = delete;
  ~ClusterMode() = default;

  /// Called on the loop's thread, or before it turns.
  void start();
  /// Ends the calls that are under way (ClusterVolumes::end), and frees the lease for another; `done` comes
  /// when that was tried.
  void stop(std::function<void()> done);
  /// ClusterState::on_change.
  void on_change(std::function<void()> listener) { state_.on_change(std::move(listener)); }

  [[nodiscard]] csi::ControllerDriver& driver() { return controller_; }
  [[nodiscard]] const ClusterState& state() const { return state_; }
  [[nodiscard]] bool leads() const { return election_.leads(); }

 private:
  ClusterState state_;
  ClusterVolumes volumes_;
  ClusterController controller_;
  CapacityPublisher publisher_;
  kube::LeaderElection election_;
};

}  // namespace holdfast::lvm
