#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/base/worker.h"
#include "common/firewall/rule_keeper.h"
#include "common/netlink/monitor.h"
#include "common/netlink/socket.h"
#include "egw-gateway/access/access_plan.h"
#include "egw-gateway/access/access_store.h"
#include "egw-gateway/access/concerns.h"
#include "egw-gateway/access/options.h"
#include "egw-gateway/access/pool_source.h"
#include "egw-gateway/access/published_ranges.h"
#include "egw-gateway/access/route_publisher.h"
#include "egw-gateway/access/routes/kernel_table.h"
#include "egw-gateway/access/silent_ways.h"
#include "egw-gateway/access/tunnel_liveness.h"
#include "egw-gateway/choice/gateway_choice.h"
#include "egw-gateway/health/health.h"
#include "egw-gateway/tunnel/tunnel_keeper.h"

namespace holdfast::gateway {

/// What egw-access shows of itself.
struct AccessMetrics {
  explicit AccessMetrics(Metrics& metrics);

  Metrics& all;  ///< for those with a gateway's name
  Counter& switches;
  Counter& outages;
  Counter& rules_mended;
  Gauge& refused;
  Gauge& passed_over;
  Gauge& pools;
  Gauge& objects_lost;
  Gauge& ready;
};

/// Of a farewell: longer than this nobody waits for others to hear it; and what was sent before they had is
/// here within kUnderWay more. Who ends the program gives it both.
inline constexpr std::chrono::milliseconds kLongestFarewell{7000};
inline constexpr std::chrono::milliseconds kUnderWay{500};

/// How a pool fares here, for whoever looks at its object.
struct PoolReport {
  std::string pool{};
  std::string active{};  ///< gateway; empty: none
  std::optional<std::chrono::system_clock::time_point>
      switched{};  ///< when it became so; nullopt: before our start
  std::string reason{"AsItShouldBe"};
  std::string message{};  ///< what is wrong, and the cure; empty: nothing
  /// Public keys of its gateways that tunnels take, in order: who changes a key waits for that.
  std::vector<std::string> keys{};

  bool operator==(const PoolReport&) const = default;
};

/// egw-access's work: the cloud end of the tunnels of all pools that name this access point. It is one round
/// of four steps, each in a file of its own, of which each asks for the next one:
///
///     plan     access_agent.cpp    store and source -> EdgeGateways -> what is to be: plan()
///     look     access_look.cpp     plan -> closed ranges, settings; tunnels and rules by the worker: look(),
///                                  and looked() with what it found of them
///     choose   access_choice.cpp   liveness in the tunnels -> a gateway for each pool: watch(), choose_all()
///     publish  access_publish.cpp  choice -> tables of routes, a thread each; reports: publish()
///
/// What begins where, and again by which timer:
///
///     told, gone, only          the source tells of a pool                 plan
///     look_again                a signal                                   plan
///     kernel_told               links and routes have changed              look, look_timer_
///     after looked              --resync; kRetry where something failed    look, look_timer_
///     keys_read                 a gateway speaks with another key          look, keys_timer_
///     way_told                  a gateway is up, or down                   choose
///     choose_all                time alone may change the choice           choose, choice_timer_
///     kernel_published,         the tables' answers                        reports; look where routes fail
///     vpc_published
///
/// The store alone makes the pools' ranges unreachable, before anything is asked or heard. Nothing is
/// withdrawn because this program began anew: tunnels, and routes into them, stand in the kernel, and a
/// gateway that routes lead to counts until it is heard, or missed for kFirstWord. A pool whose object is
/// gone on good authority, or has lost_lists(), is taken away after --removal-delay. Where the store is lost
/// or damaged, and an earlier start has left what nobody has told of yet, all stays as it stands until the
/// source has listed the pools. The VPC's table is not written before each gateway was heard or missed, nor
/// before it is known which pools there are.
///
/// Lives on the event loop; what may block runs on threads of its own.
class AccessAgent final : public PoolConsumer {
 public:
  using Reported = std::function<void(const PoolReport&)>;

  /// What it works with; all outlives it.
  struct Tools {
    EventLoop& loop;
    Worker& worker;  ///< for tunnels and rules
    Worker& disk;
    Logger& log;
    Health& health;
    AccessMetrics& metrics;
    nl::Socket& socket;
    AccessStore& store;
    TunnelKeeper& tunnels;           ///< used by the worker's thread
    firewall::RuleKeeper& firewall;  ///< the same
    RouteProvider& kernel;           ///< used by a thread of its own
    RouteProvider* cloud;            ///< the same; null: the VPC is not told
  };
  AccessAgent(const Tools& tools, AccessOptions options, const wireguard::SecretKey& private_key,
              Reported reported);
  AccessAgent(const AccessAgent&) = delete;
  AccessAgent& operator=(const AccessAgent&) = delete;
  ~AccessAgent() override = default;

  /// Reads the store and makes the ranges unreachable by it; then all else. `source` outlives the agent's
  /// life on the loop. Errors: what no waiting cures.
  Status start(PoolSource& source);
  /// A look at everything, and at the source.
  void look_again();
  /// Tells gateways and routers to send by another access point, and calls `left`, which is to end the loop,
  /// when they do: what is under way is forwarded until then. At once when nobody has another one.
  void leave(EventLoop::Callback left);

  void told(EdgeGateway gateway) override;
  void gone(const std::string& pool) override;
  void only(const std::set<std::string>& pools) override;
  void health(const std::string& trouble) override;

 private:
  struct Look {
    TunnelKeeper::Look tunnels;
    firewall::RuleKeeper::Look rules;
  };
  /// A pool that is to be taken away in a while.
  struct Removal {
    std::string why;
    std::optional<EdgeGateway> emptied;  ///< its object, which is there and has lost_lists()
    EventLoop::Timer due;
  };
  /// What is known of one pool beside its object.
  struct Sight {
    Choice choice;
    std::chrono::nanoseconds seen_since{};
    std::optional<std::chrono::nanoseconds> lost{};  // the last gateway
    PoolReport report;
    std::string vpc_trouble;
    std::string vpc_reason;
  };

  // the beginning and the end
  Status close();
  Status watch_kernel();
  void kernel_told();
  void speak_to_routers();
  void wait_for_others(std::chrono::nanoseconds until, EventLoop::Callback left);

  // plan
  [[nodiscard]] bool names_us(const EdgeGateway& gateway) const;
  void let_go(const std::string& pool, const std::string& what, std::optional<EdgeGateway> emptied);
  void keep(const std::string& pool);
  void remove(const std::string& pool);
  void show_removals(const std::string& changed);
  void plan();
  void save();

  // look: before the worker has a turn
  void look();
  void look_after(std::chrono::nanoseconds delay);
  [[nodiscard]] bool waits_for_list();
  void look_at_own();
  [[nodiscard]] std::vector<OwnRange> kept_from_pods() const;
  void close_ranges();
  void put_settings();
  [[nodiscard]] std::vector<Tunnel> tunnels();
  // and with what it found
  void looked(const Look& look);
  void show_look(const Look& look);
  [[nodiscard]] bool learn_keys();
  void await_keys();
  void keys_read(const TunnelKeeper::Look& look);
  [[nodiscard]] int ifindex_of(const WayName& way) const;

  // choose
  void watch();
  void way_told(const WayName& way, Word word, const std::string& why);
  void choose_all();
  void choose_for(const ServedPool& pool, std::string& dead);
  Sight& sight_of(const ServedPool& pool);
  void show_choice(const ServedPool& pool, const Choice& before, Sight& sight);
  [[nodiscard]] bool is_up(const WayName& way) const;

  // publish
  void publish();
  [[nodiscard]] PublishedRanges ranges() const;
  [[nodiscard]] PoolSight pool_sight(const ServedPool& pool, const Sight& sight) const;
  void kernel_published(const RouteAnswer<Publication>& answer);
  void publish_to_vpc();
  [[nodiscard]] bool writes_vpc();
  void vpc_published(const RouteAnswer<Publication>& answer);
  void report(const ServedPool& pool, Sight& sight);
  [[nodiscard]] std::vector<std::string> keys_taken(const ServedPool& pool) const;
  void report_refused();

  [[nodiscard]] std::chrono::nanoseconds now() const { return tools_.loop.clock().since_boot(); }

  Tools tools_;
  AccessOptions options_;
  wireguard::SecretKey private_key_;
  Reported reported_;
  PoolSource* source_ = nullptr;

  // plan
  AccessStore::Pools pools_;
  std::set<std::string> served_;  // of these, as they were last planned; at first as they were stored
  bool listed_ = false;           // the source has told which pools there are
  bool stored_whole_ = false;     // or the store has
  bool saving_ = false;
  bool save_again_ = false;
  std::map<std::string, Removal> removals_;  // by pool
  AccessPlan plan_;
  std::vector<OwnRange> own_;       // as they could last be read
  std::vector<TableRoute> before_;  // routes that an earlier start left

  // look
  std::map<WayName, wireguard::PublicKey> keys_;  // in use
  std::map<WayName, TunnelView> views_;           // of the last look
  SilentWays silent_;
  bool looked_ = false;
  bool looking_ = false;
  bool look_again_ = false;

  // choose
  std::map<std::string, LivenessHistory> histories_;  // by pool
  std::map<WayName, TunnelTarget> watched_;
  std::map<std::string, Sight> sights_;
  bool undecided_ = false;

  // publish
  std::map<std::string, std::string> refused_;  // why, of pools that are not served, as reported
  PublishedRanges published_;
  std::optional<std::vector<PodRange>> in_vpc_;  // as it was last asked for
  std::chrono::nanoseconds cloud_asked_{};

  TunnelLiveness liveness_;
  std::unique_ptr<RoutePublisher> kernel_;
  std::unique_ptr<RoutePublisher> cloud_;
  std::optional<nl::Monitor> monitor_;
  EventLoop::Watch monitor_events_;
  std::chrono::nanoseconds look_due_{};
  EventLoop::Timer look_timer_;
  EventLoop::Timer keys_timer_;
  EventLoop::Timer choice_timer_;
  EventLoop::Timer retry_;  // of the store
  EventLoop::Timer routers_again_;
  EventLoop::Timer leaving_timer_;
};

}  // namespace holdfast::gateway
