#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
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
/// A look at a large cluster takes long, and nothing else is done meanwhile. So what one look wants written
/// is written one after the other without another, pod CIDRs first; and between two looks passes as much time
/// as the first of them took, in which writes are sent and answered.
///
/// What a node is being given is promised to it until the Node is seen with its pod CIDRs, so that a write
/// whose answer is lost cannot give another node the same. Writes end with the lead, which is sooner than
/// another controller can take it.
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
    /// For one write. Long: what is given up was work for a server that is slow, and comes again.
    std::chrono::milliseconds write{60'000};
    std::chrono::milliseconds gather{50};         ///< what comes together is looked at together
    std::chrono::milliseconds between{1000};      ///< looks for which no node waits are that far apart
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

  [[nodiscard]] std::deque<std::string> untold();
  [[nodiscard]] std::optional<nlohmann::json> wanted_status(const SeenObject& object);
  Work& work_of(const std::string& node);
  [[nodiscard]] bool may_write(const std::string& node);
  void write_waiting();
  [[nodiscard]] bool is_still_free(const std::vector<Cidr>& cidrs) const;
  void begin(const NetworkStep& step);
  void change_node(const NetworkStep& step);
  void make_object(const NetworkStep& step);
  void change_object(const NetworkStep& step);
  void remove_object(const NetworkStep& step);
  [[nodiscard]] nlohmann::json object_patch(const NetworkStep& step) const;
  [[nodiscard]] kube::ObjectClient::Done object_outcome(const NetworkStep& step);
  void begin_status(const std::string& node);
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
  std::uint64_t last_seed_;            // of their waits
  std::size_t under_way_ = 0;
  std::optional<NetworkSight> seen_;  // at the last look
  std::deque<NetworkStep> steps_;     // that it found and that have not begun
  std::deque<std::string> untold_;    // objects whose status it found to be another; have not begun either
  std::set<std::string> changed_;     // nodes of which anything was told since
  Findings findings_;
  std::chrono::nanoseconds last_look_{};
  std::chrono::nanoseconds rests_until_{};  // no look before that
  EventLoop::Timer soon_;
  std::chrono::nanoseconds soon_at_{};
  EventLoop::Timer later_;
  std::chrono::nanoseconds later_at_{};
};

}  // namespace holdfast::flannel
