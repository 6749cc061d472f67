#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/event_loop.h"
#include "common/base/files.h"
#include "common/base/log.h"
#include "common/base/worker.h"
#include "common/firewall/rule_keeper.h"
#include "common/netlink/monitor.h"
#include "common/netlink/socket.h"
#include "egw-gateway/choice/gateway_choice.h"
#include "egw-gateway/health/health.h"
#include "egw-gateway/helper/gateway_liveness.h"
#include "egw-gateway/helper/helper_metrics.h"
#include "egw-gateway/helper/helper_store.h"
#include "egw-gateway/helper/node_routes.h"
#include "egw-gateway/helper/node_rules.h"
#include "egw-gateway/helper/options.h"
#include "egw-gateway/model/edge_gateway.h"
#include "egw-gateway/source/gateway_source.h"

namespace holdfast::gateway {

/// egw-helper's work: keeps the node's routes to the pool's live gateway.
///
///     store  ->  EdgeGateway  ->  choice of a gateway  ->  wanted  ->  plan  ->  kernel
///     source ->                        ^ liveness                       ^ kernel
///
/// The store alone makes the ranges unreachable, before anything is asked or heard. A look at all of it (a
/// "round") follows what the source and the gateways tell, what the kernel tells of our routes, of the links
/// and of the ways to the gateways, and now and then without a cause. Nothing is withdrawn because this
/// program began anew: a gateway that routes lead to counts until it is heard, or is watched and missed for
/// kFirstWord.
///
/// What is not known is left as it is: without a stored or told object no route of ours is touched. Clean
/// removal needs the source's authority, and waits --removal-delay: the object is gone, or tells no range, or
/// it listed this node among the pool's and does not any more. A node that it has never listed is new, and
/// served. An object that has lost_lists() and tells ranges takes nothing away, as these stay closed: what is
/// known goes on, and whether a gateway lives is for liveness to say.
///
/// Lives on the event loop; what may block runs on the worker.
class Agent final : public GatewayConsumer {
 public:
  /// What it works with; all outlives it.
  struct Tools {
    EventLoop& loop;
    Worker& worker;
    Files& files;
    Logger& log;
    Health& health;
    HelperMetrics& metrics;
    nl::Socket& socket;
    HelperStore& store;
    GatewayLiveness& liveness;
    firewall::RuleKeeper& firewall;  ///< used by the worker's thread
    Worker& resolver;                ///< waits for name servers, which nothing else is to wait for
  };
  Agent(const Tools& tools, HelperOptions options);
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;
  ~Agent() override = default;

  /// Reads the store and makes the ranges unreachable by it. Errors: the kernel's; what could be done was.
  Status close();
  /// The same for a host that boots, before it is known whose state this may be: ranges of a foreign store
  /// are closed too, and by packet-filter rules besides, as what brings the links up may take routes away.
  /// Blocks for these. Errors: also kFailedPrecondition, when the store was foreign or could not be used.
  Status close_at_boot();
  /// close(), then all else. `source` outlives the agent's life on the loop. Errors: what no waiting cures.
  Status start(GatewaySource& source);
  /// No packet for these hosts goes to a gateway: the API server and its proxy, by name or address. As long
  /// as a name has no address the stored ones count. None: those that are stored are forgotten.
  void exempt_servers(std::vector<std::string> hosts);
  /// Why the keys of liveness cannot be read, so that no gateway is watched: packets go to none; empty: they
  /// can be.
  void keys(const std::string& trouble);
  /// A look at everything, and at the source.
  void look_again();
  /// This program is to end: the loop is stopped. Who ends it may have taken the node out of its pool, which
  /// is told by another way and may come later: where an API server is heard it has kLastWord for that. What
  /// was to be taken away in a while is taken away before the end.
  void end();
  /// Nothing of ours is on the node.
  [[nodiscard]] bool removed() const { return removed_ && !removing_; }

  void told(EdgeGateway gateway) override;
  void gone() override;
  void health(const std::string& trouble) override;

 private:
  Result<HelperStore::Loaded> read_store();
  void take(std::optional<HelperState> state);
  Status close_known();
  Status watch_kernel();
  void kernel_told();
  void gateway_told(const std::string& name, Word word, const std::string& why);

  void round_after(std::chrono::nanoseconds delay);
  void round();
  Status put_all_right();
  Status put_routes(const RoutesWanted& wanted, const NodeFacts& facts);
  void watch_gateways(const NodeFacts& facts);
  /// Why nobody's word of a gateway's life can be believed; empty: it can.
  [[nodiscard]] std::string trouble_with_keys() const;
  void look_at_choice(const NodeFacts& facts);
  void show_choice(const Choice& before);
  void show_ranges(const RoutedRanges& routed);
  void put_file(const std::vector<Cidr>& ranges);
  void put_settings(bool has_gateway);
  [[nodiscard]] std::vector<firewall::RuleSet> rule_sets(const NodeFacts& facts, const NodeRanges& ranges,
                                                         const NextHops& local) const;
  void want_rules(const NodeFacts& facts, const NodeRanges& ranges, const NextHops& local);
  void put_rules();
  void rules_put(const firewall::RuleKeeper::Look& look);
  /// Those of options_.links that this node has.
  [[nodiscard]] std::vector<std::string> links_there() const;
  void show_gates(const Result<std::vector<std::string>>& gates);
  void look_up_servers();
  void servers_found(const std::vector<Result<std::vector<IpAddress>>>& found);
  [[nodiscard]] bool is_stored() const;
  void save();
  void saved(const Status& done);
  /// Empty: it does.
  void object_stands(const std::string& trouble);
  void leave(const std::string& why);
  void remove();
  void removal_tried(const Status& done);
  [[nodiscard]] bool is_listed_by(const EdgeGateway& gateway) const;
  /// Whether an object says that this node, which it listed before, is none of the pool's.
  [[nodiscard]] bool is_left_out(const EdgeGateway& gateway) const;

  [[nodiscard]] RoutedRanges ranges(const NodeFacts& facts) const;
  void note_networks(const NodeFacts& facts);
  [[nodiscard]] NextHops local_ways(const NodeFacts& facts) const;
  [[nodiscard]] const Gateway* gateway(const std::string& name) const;
  [[nodiscard]] std::chrono::nanoseconds now() const { return tools_.loop.clock().since_boot(); }

  Tools tools_;
  HelperOptions options_;
  GatewaySource* source_ = nullptr;

  std::optional<EdgeGateway> known_;
  bool listed_ = false;   // an object, told or stored, has this node among the pool's
  bool removed_ = false;  // known to be gone: nothing of ours is to stay
  bool removing_ = false;
  bool heard_ = false;  // the source is
  bool ending_ = false;
  bool closed_ = false;  // the first routes were put
  std::string keys_trouble_;
  bool looked_ = false;  // at the links, which are there as far as this node has any
  std::vector<IpAddress> servers_;
  std::vector<Cidr> networks_;  // as they were last seen, parts of ranges
  std::vector<std::string> server_hosts_;
  std::optional<HelperState> stored_;
  bool saving_ = false;

  LivenessHistory history_;
  Choice choice_;
  std::vector<LivenessTarget> targets_;
  NodeFacts facts_;      // of the last round
  RoutesWanted wanted_;  // of the last round

  std::vector<firewall::RuleSet> rules_;
  bool putting_rules_ = false;
  bool rules_again_ = false;

  std::optional<nl::Monitor> monitor_;
  EventLoop::Watch monitor_events_;
  std::chrono::nanoseconds round_ended_{};
  std::chrono::nanoseconds round_due_{};
  EventLoop::Timer round_timer_;
  EventLoop::Timer rules_timer_;
  EventLoop::Timer removal_;
  EventLoop::Timer end_;
  EventLoop::Timer servers_timer_;
};

}  // namespace holdfast::gateway
