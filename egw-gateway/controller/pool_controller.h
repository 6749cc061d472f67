#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "common/base/backoff.h"
#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/kube/events.h"
#include "common/kube/http.h"
#include "common/kube/leader_election.h"
#include "common/kube/leading_program.h"
#include "common/kube/object_client.h"
#include "egw-gateway/controller/cluster_view.h"
#include "egw-gateway/controller/pool_plan.h"

namespace holdfast::gateway {

/// egw-controller: does what plan_pool() says, for all pools, while it leads. One write of a pool at a time,
/// and after each a new plan; a write that fails waits, and holds up neither other objects nor other pools.
/// Belongs to the event loop.
class PoolController final : public kube::LeadingController {
 public:
  struct Options {
    PlanOptions plan{};
    std::string identity{};                     ///< of no other process: host and a random part
    std::string host{};                         ///< that Events come from
    std::uint64_t seed = 0;                     ///< another for every process
    std::chrono::milliseconds first_wait{500};  ///< bounds of the waits after a write that failed
    std::chrono::milliseconds longest_wait{60'000};
    std::chrono::milliseconds write{15'000};  ///< for one write, its attempts together
    kube::LeaderOptions lease{};              ///< its name, namespace and identity are ours
    std::chrono::milliseconds ask_again{30'000};
  };
  /// All outlive it. `http` is for watches alone, another than that of `client`.
  struct Context {
    EventLoop& loop;
    kube::Http& http;
    kube::ObjectClient& client;
    Logger& log;
    Metrics& metrics;
  };

  PoolController(const Context& context, const Options& options);
  PoolController(const PoolController&) = delete;
  PoolController& operator=(const PoolController&) = delete;
  ~PoolController() override;

  void start() override;
  void stop(std::function<void()> done) override;
  [[nodiscard]] bool ready() const override { return view_.is_known(); }
  [[nodiscard]] bool leads() const override { return election_.leads(); }

 private:
  struct Wait {
    Backoff backoff;
    std::chrono::nanoseconds until{};
  };
  struct Work {
    PoolMemory memory{};
    std::optional<std::chrono::nanoseconds> gone_since{};
    std::optional<std::chrono::nanoseconds> absent_since{};
    std::vector<PoolFinding> findings{};
    std::vector<PoolFinding> news{};  ///< that were told last
    std::map<ObjectKey, Wait> waits{};
    kube::ObjectClient::CallPtr call{};
  };

  [[nodiscard]] std::chrono::nanoseconds now() const { return context_.loop.clock().since_boot(); }
  void changed();
  void look();
  void look_at(const ClusterSight& cluster, const std::string& pool);
  void look_again_in(std::chrono::nanoseconds time);
  void remember(const ClusterSight& cluster, const std::string& pool, Work& work) const;
  void tell(const ClusterSight& cluster, const std::string& pool, Work& work, const PoolPlan& plan);
  [[nodiscard]] const Step* next_step(Work& work, const PoolPlan& plan);
  void begin(const std::string& pool, const Step& step);
  void look_before(const std::string& pool, const Step& step);
  void write(const std::string& pool, const Step& step);
  void done(const std::string& pool, const Step& step, const Result<nlohmann::json>& outcome);
  void failed(const std::string& pool, const Step& step, const Error& error);
  void cease();
  void show();

  Context context_;
  Options options_;
  ClusterView view_;
  kube::EventRecorder recorder_;
  kube::LeaderElection election_;
  std::map<std::string, Work> works_;
  std::map<std::string, PoolTunnels> given_;
  EventLoop::Timer soon_;
  EventLoop::Timer later_;
  std::chrono::nanoseconds later_at_{};
};

}  // namespace holdfast::gateway
