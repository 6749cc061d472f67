#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/event_loop.h"
#include "common/base/files.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/base/worker.h"
#include "common/netlink/monitor.h"
#include "common/netlink/socket.h"
#include "common/wireguard/key.h"
#include "egw-gateway/bfd/authentication.h"
#include "egw-gateway/choice/gateway_choice.h"
#include "egw-gateway/core/cloud_routes.h"
#include "egw-gateway/core/core_liveness.h"
#include "egw-gateway/core/core_options.h"
#include "egw-gateway/core/core_plan.h"
#include "egw-gateway/core/core_store.h"
#include "egw-gateway/core/core_works.h"
#include "egw-gateway/core/source_ports.h"
#include "egw-gateway/health/health.h"
#include "egw-gateway/source/gateway_source.h"

namespace holdfast::gateway {

/// What egw-core shows of itself.
struct CoreMetrics {
  explicit CoreMetrics(Metrics& metrics);

  void show(const PassageCounts& counts);
  void show(const bfd::Keys& keys);
  /// `peers`: "nodes" or "access points".
  void show_hindered(const std::string& peers, bool hindered);
  void show(const AccessTarget& target, const TunnelView& view, bool up,
            std::chrono::system_clock::time_point now);

  Metrics& all;
  Counter& switches;
  Counter& outages;
  Counter& rules_mended;
  Counter& tunnels_mended;
  Counter& routes_mended;
  Gauge& nodes;
  Gauge& nodes_up;
  Gauge& object_lost;
  Gauge& ready;
};

/// egw-core's work:
///
///     store  ->  EdgeGateway  ->  plan  ->  rules, tunnels (worker)  ->  links
///     source ->     keys ->                                               |
///                                 access points' liveness  ->  choice  ->  routes  ->  nodes may send
///
/// A look at all of it (a "round") follows what the source, the kernel and the access points tell, and comes
/// now and then without a cause. Nothing is taken away because this program began anew: the access point that
/// the routes lead to counts until it is heard, or missed for kFirstWord. Nodes are told that they may send
/// once an access point answers, and told otherwise as soon as none does.
///
/// An object that is gone, or has lost_lists(), takes nothing away: what is known goes on. Who means the end
/// of this gateway ends its pod.
///
/// A planned end, and a change of the key, begin with leave(): nodes and access points are told to send by
/// the other gateway, and what they still send goes its way until they have heard.
///
/// Lives on the event loop; what may block runs on the worker.
class CoreAgent final : public GatewayConsumer {
 public:
  /// What it works with; all outlives it.
  struct Tools {
    EventLoop& loop;
    Worker& worker;
    Files& files;
    Logger& log;
    Health& health;
    CoreMetrics& metrics;
    nl::Socket& socket;
    CoreStore& store;
    CoreLiveness& liveness;
    CoreWorks& works;  ///< used by the worker's thread
  };
  CoreAgent(const Tools& tools, CoreOptions options);
  CoreAgent(const CoreAgent&) = delete;
  CoreAgent& operator=(const CoreAgent&) = delete;
  ~CoreAgent() override = default;

  /// `source` outlives the agent's life on the loop. Errors: what no waiting cures.
  Status start(GatewaySource& source);
  /// A look at everything, and at the source.
  void look_again();
  /// Calls `left` when those who send to us have had the time to send elsewhere.
  void leave(EventLoop::Callback left);

  void told(EdgeGateway gateway) override;
  void gone() override;
  void health(const std::string& trouble) override;

 private:
  Status read_store();
  /// Empty: it does.
  void object_stands(const std::string& trouble);
  Status watch_kernel();
  void kernel_told();
  [[nodiscard]] bool concerned_by(const nl::Event& event) const;
  void access_told(const std::string& name, Word word, const std::string& why);

  void round_after(std::chrono::nanoseconds delay);
  void round();
  Status put_all_right();
  void read_key();
  void key_read(const wireguard::SecretKey& key);
  void change_key();
  void key_changed();
  void read_liveness_keys();
  [[nodiscard]] std::string trouble_with_keys() const;
  void put_settings();
  [[nodiscard]] bool forwards() const;
  void want_nodes();
  void want_works();
  [[nodiscard]] std::vector<Tunnel> tunnels();
  void works_done(const CoreWorks::Look& look);
  void show_works(const CoreWorks::Look& look);
  void adopt();
  void want_access();
  void forget_sessions_but(const std::vector<CoreLiveness::Access>& wanted);
  void look_at_choice();
  void show_choice(const Choice& before);
  [[nodiscard]] int active_link() const;
  [[nodiscard]] std::chrono::nanoseconds time_to_leave() const;
  Status put_routes();
  void show();
  void sweep();
  void save();
  void saved(const Status& done);

  [[nodiscard]] std::chrono::nanoseconds now() const { return tools_.loop.clock().since_boot(); }

  Tools tools_;
  CoreOptions options_;
  GatewaySource* source_ = nullptr;

  std::optional<EdgeGateway> known_;
  std::optional<EdgeGateway> stored_;
  bool saving_ = false;

  std::optional<wireguard::SecretKey> key_;       // in use
  std::optional<wireguard::SecretKey> next_key_;  // to be used once all have left
  bool applying_key_ = false;                     // it is in use now, and not all tunnels have it
  std::optional<bfd::Keys> liveness_keys_;        // that were read last

  EdgeLink edge_;
  CorePlan plan_;
  std::map<std::string, int> links_;           // of tunnels, by their names
  std::vector<CoreLiveness::Access> watched_;  // access points, as they were last wanted
  SourcePorts ports_{bfd::system_random()};
  LivenessHistory history_;
  Choice choice_;
  int link_before_ = 0;   // that an earlier run's routes lead to
  bool adopted_ = false;  // the tunnels are known, and which of them that was
  bool leaving_ = false;
  bool dropped_ = false;           // what our rules let through, by the policy of somebody's FORWARD
  std::vector<nl::Route> routes_;  // as they were last put

  bool working_ = false;
  bool work_again_ = false;

  std::optional<nl::Monitor> monitor_;
  EventLoop::Watch monitor_events_;
  std::chrono::nanoseconds round_ended_{};
  std::chrono::nanoseconds round_due_{};
  EventLoop::Timer round_timer_;
  EventLoop::Timer sweep_timer_;
  EventLoop::Timer leaving_timer_;
  EventLoop::Timer first_word_;
};

}  // namespace holdfast::gateway
