#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cni-flannel/controller/machine_sights.h"
#include "cni-flannel/controller/network_plan.h"
#include "common/base/backoff.h"
#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/kube/events.h"
#include "common/kube/http.h"
#include "common/kube/leader_election.h"
#include "common/kube/leading_program.h"
#include "common/kube/node_pools.h"
#include "common/kube/object_cache.h"
#include "common/kube/object_client.h"
#include "common/kube/watch_group.h"

namespace holdfast::flannel {

/// By this name others know the controller: its lease, its Events, the fields that it applies.
inline constexpr const char* kNetworkController = "flannel-controller";

/// flannel-controller: does what plan_networks() says, while it leads and all of the cluster has been read.
/// One write a node at a time, kMostWrites in all; one that fails waits, and holds up no other node's.
///
/// What a node is being given is promised to it until the Node is seen with its pod CIDRs, so that a write
/// whose answer is lost cannot give another node the same. A write ends sooner than another controller can
/// take the lead.
///
/// Belongs to the event loop.
class NetworkController final : public kube::LeadingController {
 public:
  static constexpr std::size_t kMostWrites = 16;

  struct Options {
    NetworkPlanOptions plan{};
    std::string name_space{};                   ///< of the lease
    std::string identity{};                     ///< of no other process
    std::string host{};                         ///< that Events come from
    std::uint64_t seed = 0;                     ///< another for every process
    std::chrono::milliseconds first_wait{500};  ///< bounds of the waits after a write that failed
    std::chrono::milliseconds longest_wait{60'000};
    std::chrono::milliseconds write{4'000};   ///< for one write; less than a lease goes on behind its leader
    std::chrono::milliseconds gather{50};     ///< what comes together is looked at together
    std::chrono::milliseconds between{1000};  ///< looks for which no node waits are that far apart
    std::chrono::milliseconds ask_again{30'000};  ///< for NodePools, where there are none
    kube::LeaderOptions lease{};                  ///< its name, namespace and identity are ours
  };
  /// All outlive it. `http` is for watches alone, another than that of `client`.
  struct Context {
    EventLoop& loop;
    kube::Http& http;
    kube::ObjectClient& client;
    Logger& log;
    Metrics& metrics;
  };

  NetworkController(const Context& context, const Options& options);
  NetworkController(const NetworkController&) = delete;
  NetworkController& operator=(const NetworkController&) = delete;
  ~NetworkController() override;

  void start() override;
  void stop(std::function<void()> done) override;
  [[nodiscard]] bool ready() const override { return watches_.is_whole(); }
  [[nodiscard]] bool leads() const override { return election_.leads(); }
  /// As the last plan has them, by node.
  using Findings = std::map<std::string, std::vector<NodeFinding>>;
  [[nodiscard]] const Findings& findings() const { return findings_; }

 private:
  struct Work {
    std::vector<Cidr> promised{};
    std::string promised_to{};  ///< uid of the Node
    Backoff backoff;
    std::chrono::nanoseconds not_before{};
    kube::ObjectClient::CallPtr call{};
  };

  [[nodiscard]] std::chrono::nanoseconds now() const { return context_.loop.clock().since_boot(); }
  template <class Object>
  kube::ObjectCache<Object> cache(const char* what, typename kube::ObjectCache<Object>::Decode decode,
                                  std::function<bool(const Object&, const Object&)> same);
  void changed();
  void changed(const std::string& name);
  [[nodiscard]] bool is_awaited(const std::string& name) const;
  void look_soon_in(std::chrono::nanoseconds time);
  void look();
  void look_again_in(std::chrono::nanoseconds time);
  [[nodiscard]] NetworkSight sight();
  [[nodiscard]] std::map<std::string, PodRanges> ranges();
  void keep_promises(NetworkSight& sight);
  void see_strays(NetworkSight& sight);
  void see_machines(NetworkSight& sight);
  void tell(const NetworkSight& sight, const Findings& findings);
  void write_statuses(const NetworkSight& sight);

  Work& work_of(const std::string& node);
  [[nodiscard]] bool may_write(const std::string& node);
  void begin(const NetworkSight& sight, const NetworkStep& step);
  void done(const std::string& node, const std::string& what, const Result<nlohmann::json>& outcome,
            const std::function<void(const nlohmann::json&)>& told);
  void failed(const std::string& node, const std::string& what, const Error& error);
  void cease();
  void show(std::chrono::nanoseconds pass);

  Context context_;
  Options options_;
  kube::ObjectCache<SeenNode> nodes_;
  kube::ObjectCache<SeenObject> objects_;
  kube::ObjectCache<kube::NodePool> pools_;
  kube::WatchGroup watches_;
  kube::EventRecorder recorder_;
  kube::LeaderElection election_;
  std::map<std::string, std::chrono::nanoseconds> first_seen_;    // of nodes without pod CIDRs, by uid
  std::map<std::string, std::chrono::nanoseconds> astray_since_;  // by node
  MachineSights machines_;
  std::map<std::string, Work> works_;  // by node
  std::size_t under_way_ = 0;
  Findings findings_;
  std::chrono::nanoseconds last_look_{};
  EventLoop::Timer soon_;
  std::chrono::nanoseconds soon_at_{};
  EventLoop::Timer later_;
  std::chrono::nanoseconds later_at_{};
};

}  // namespace holdfast::flannel
