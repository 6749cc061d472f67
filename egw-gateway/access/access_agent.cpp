#include "egw-gateway/access/access_agent.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "egw-gateway/access/access_rules.h"
#include "egw-gateway/access/backstop.h"
#include "egw-gateway/access/local_address.h"
#include "egw-gateway/access/pod_table.h"

// What is to be: from the store and the source to tunnels and rules. access_choice.cpp goes on from there.
namespace holdfast::gateway {
namespace {

using namespace std::chrono_literals;

constexpr auto kGather = 2ms;  // events of the kernel come in floods
constexpr auto kRetry = 500ms;
constexpr auto kKeysLook = 250ms;  // while a gateway changes over to another key
constexpr auto kKernelPatience = 2s;
constexpr auto kCloudPatience = 60s;
// Of a farewell: it is asked so often whether all have heard it; longer than this nobody waits for us to end.
constexpr auto kFarewellLook = 20ms;
constexpr auto kLongestFarewell = 7s;
constexpr auto kUnderWay = 500ms;  // what was sent before all had heard it is here by then

/// Of two objects whether all that counts here is the same.
bool is_same(EdgeGateway a, EdgeGateway b) {
  for (EdgeGateway* one : {&a, &b}) {
    one->resource_version.clear();
    one->generation = 0;
  }
  return a == b;
}

}  // namespace

AccessMetrics::AccessMetrics(Metrics& metrics)
    : all(metrics),
      switches(
          metrics.counter("egw_access_switches_total", "Changes from one gateway of a pool to another.")),
      outages(metrics.counter("egw_access_outages_total", "Times that no gateway of a pool was left.")),
      rules_mended(metrics.counter("egw_access_rules_mended_total",
                                   "Sets of packet-filter rules that others had changed.")),
      refused(metrics.gauge(
          "egw_access_refused_packets",
          "Packets of tunnels that were none of their pool's, dropped since the rules were put.")),
      passed_over(metrics.gauge("egw_access_routes_passed_over",
                                "Routes and policy rules of others for pods' ranges.")),
      pools(metrics.gauge("egw_access_pools", "Pools that are served.")),
      ready(metrics.gauge("egw_access_ready", "Whether the access point is ready.")) {}

AccessAgent::AccessAgent(const Tools& tools, AccessOptions options, const wireguard::SecretKey& private_key,
                         Reported reported)
    : tools_(tools),
      options_(std::move(options)),
      private_key_(private_key),
      reported_(std::move(reported)),
      liveness_(tools.loop,
                [this](const WayName& way, bool up, const std::string& why) { way_told(way, up, why); }) {
  kernel_ = std::make_unique<RoutePublisher>(
      tools.loop, tools.kernel, kKernelPatience,
      [this](const RouteAnswer<Publication>& answer) { kernel_published(answer); });
  if (tools.cloud == nullptr) return;
  cloud_ = std::make_unique<RoutePublisher>(
      tools.loop, *tools.cloud, kCloudPatience,
      [this](const RouteAnswer<Publication>& answer) { vpc_published(answer); });
}

Status AccessAgent::close() {
  HOLDFAST_TRY(AccessStore::Loaded loaded, tools_.store.load());
  for (const std::string& note : loaded.notes) tools_.log.warning("store", {{"note", note}});
  pools_ = std::move(loaded.pools);
  served_ = std::move(loaded.served);
  KernelTable table(tools_.socket);
  auto before = table.list(kKernelPatience);
  if (!before) return fail(Code::kUnavailable, before.error().message);
  before_ = *std::move(before);
  tools_.log.info("store read", {{"pools", pools_.size()}});
  return {};
}

Status AccessAgent::start(PoolSource& source) {
  HOLDFAST_CHECK(close());
  HOLDFAST_CHECK(watch_kernel());
  plan();
  speak_to_routers();
  source_ = &source;
  return source.start(*this);
}

void AccessAgent::speak_to_routers() {
  std::string troubles;
  for (const IpAddress& router : options_.routers) {
    const Result<IpAddress> local = local_address_towards(router);
    const Status added = local ? liveness_.add_router(*local, router) : Status(tl::unexpected(local.error()));
    if (!added)
      troubles +=
          (troubles.empty() ? "router " : "; router ") + router.to_string() + ": " + added.error().message;
  }
  tools_.health.set(kRoutersTold, troubles);
  if (!troubles.empty()) routers_again_ = tools_.loop.after(kRetry, [this] { speak_to_routers(); });
}

Status AccessAgent::watch_kernel() {
  HOLDFAST_TRY(nl::Monitor monitor, nl::Monitor::open({.links = true, .addresses = false, .routes = true}));
  monitor_ = std::move(monitor);
  HOLDFAST_TRY(monitor_events_,
               tools_.loop.watch(monitor_->fd(), {.readable = true}, [this](Readiness) { kernel_told(); }));
  return {};
}

void AccessAgent::kernel_told() {
  const Result<std::vector<nl::Event>> events = monitor_->read();
  if (!events) {
    tools_.log.warning("events of the kernel", {{"error", events.error().message}});
    return look_after(kRetry);
  }
  const bool concerned = std::ranges::any_of(*events, [&](const nl::Event& event) {
    if (const auto* link = std::get_if<nl::LinkEvent>(&event)) return tools_.tunnels.concerned_by(link->link);
    const auto* route = std::get_if<nl::RouteEvent>(&event);
    const bool lost_route =
        route != nullptr && route->gone &&
        (route->route.protocol == kPodRouteProtocol || route->route.protocol == kBackstopProtocol);
    return lost_route || std::holds_alternative<nl::Resync>(event);
  });
  if (concerned) look_after(looking_ ? kRetry : kGather);
}

void AccessAgent::look_again() {
  plan();
  if (source_ != nullptr) source_->look_again();
}

/// A pool that has no other access point is told nothing: it would have none from now on, and not from our
/// end on, and a restart may be faster than liveness.
void AccessAgent::leave(EventLoop::Callback left) {
  std::set<WayName> ways;
  for (const ServedPool& pool : plan_.pools) {
    for (const GatewayWay& way : pool.ways) {
      if (!pool.sole) ways.insert(way.name);
    }
  }
  if (ways.empty()) return left();
  tools_.log.info("all are told to send by another access point", {{"gateways", ways.size()}});
  liveness_.leave(std::move(ways));
  wait_for_others(now() + kLongestFarewell, std::move(left));
}

void AccessAgent::wait_for_others(std::chrono::nanoseconds until, EventLoop::Callback left) {
  if (liveness_.is_left() || now() >= until) {
    leaving_timer_ = tools_.loop.after(kUnderWay, std::move(left));
    return;
  }
  leaving_timer_ = tools_.loop.after(kFarewellLook,
                                     [this, until, left = std::move(left)] { wait_for_others(until, left); });
}

void AccessAgent::told(EdgeGateway gateway) {
  const std::string pool = gateway.pool;
  removals_.erase(pool);
  const auto known = pools_.find(pool);
  const bool names_us = std::ranges::find(gateway.access_points, options_.access_point, &AccessPoint::name) !=
                        gateway.access_points.end();
  if (known == pools_.end() && !names_us) return;
  if (known != pools_.end() && is_same(known->second, gateway)) return;
  tools_.log.info(
      "pool told",
      {{"pool", pool}, {"gateways", gateway.gateways.size()}, {"generation", gateway.generation}});
  pools_[pool] = std::move(gateway);
  save();
  plan();
}

void AccessAgent::gone(const std::string& pool) {
  if (!pools_.contains(pool) || removals_.contains(pool)) return;
  tools_.log.warning("a pool's EdgeGateway is gone",
                     {{"pool", pool}, {"removal_in_s", options_.removal_delay.count()}});
  removals_[pool] = tools_.loop.after(options_.removal_delay, [this, pool] {
    tools_.log.info("a pool is taken away", {{"pool", pool}});
    pools_.erase(pool);
    save();
    plan();
    removals_.erase(pool);
  });
}

void AccessAgent::only(const std::set<std::string>& pools) {
  listed_ = true;
  std::vector<std::string> absent;
  for (const auto& [pool, object] : pools_) {
    if (!pools.contains(pool)) absent.push_back(pool);
  }
  for (const std::string& pool : absent) gone(pool);
}

void AccessAgent::health(const std::string& trouble) { tools_.health.set(kSourceHeard, trouble); }

void AccessAgent::save() {
  save_again_ = true;
  if (saving_) return;
  saving_ = true;
  save_again_ = false;
  const auto done = std::make_shared<Status>();  // shared by the job and what comes after it
  tools_.disk.run(
      [&store = tools_.store, pools = pools_, served = served_, done] { *done = store.save(pools, served); },
      [this, done] {
        saving_ = false;
        tools_.health.set(kStateStored, *done ? "" : done->error().message);
        if (!*done) retry_ = tools_.loop.after(options_.resync, [this] { save(); });
        if (save_again_) save();
      });
}

/// Also where tunnels' packets go: pods there would take them along.
void AccessAgent::look_at_own() {
  Result<std::vector<OwnRange>> own = own_ranges(tools_.socket);
  if (!own) return tools_.log.warning("networks of this machine", {{"error", own.error().message}});
  own_ = *std::move(own);
  for (const auto& [way, view] : views_) {
    for (const wireguard::PeerState& each : view.peers) {
      if (!each.peer.endpoint) continue;
      own_.push_back({host_range(each.peer.endpoint->address), "where gateway " + way.to_string() + " is"});
    }
  }
}

/// From what is known to what is to be.
void AccessAgent::plan() {
  look_at_own();
  plan_ = plan_access(pools_, options_.access_point, served_, own_);
  std::set<std::string> served;
  for (const ServedPool& pool : plan_.pools) served.insert(pool.name);
  if (served != served_) {
    served_ = std::move(served);
    save();  // what one has is not another's, also after a restart
  }
  std::string troubles;
  for (const auto& [pool, trouble] : plan_.troubles) {
    troubles.append(troubles.empty() ? "pool " : "; pool ").append(pool).append(": ").append(trouble);
  }
  tools_.health.set(kPoolsServed, troubles);
  report_refused();
  tools_.metrics.pools.set(static_cast<double>(plan_.pools.size()));
  look();
}

/// Nothing else answers for a range that no gateway is alive for. What is taken away stays closed until the
/// look after its routes are gone: its tunnel goes before.
void AccessAgent::close_ranges() {
  std::vector<Cidr> ranges;
  for (const PodRange& each : published_.here) ranges.push_back(each.range);
  for (const ServedPool& pool : plan_.pools) {
    ranges.insert(ranges.end(), pool.pods.begin(), pool.pods.end());
    for (const GatewayWay& way : pool.ways) {
      for (const IpAddress& address : way.addresses) {
        ranges.push_back(Cidr::make(address, address.bits()).value_or(Cidr()));
      }
    }
  }
  const Status closed = keep_backstop(tools_.socket, ranges);
  tools_.health.set(kRangesClosed, closed ? "" : closed.error().message);
  look_at_own();
  const Result<std::vector<std::string>> others = keep_pod_table(tools_.socket, ranges, own_);
  std::string told = others ? "" : others.error().message;
  for (const std::string& each : others.value_or(std::vector<std::string>{})) {
    told += (told.empty() ? "" : "; ") + each;
  }
  tools_.health.set(kRangesClear, told);
  if (others) tools_.metrics.passed_over.set(static_cast<double>(others->size()));
}

void AccessAgent::look() {
  look_timer_.end();
  close_ranges();
  if (looking_) {
    look_again_ = true;
    return;
  }
  looking_ = true;
  std::vector<Tunnel> tunnels;
  for (const ServedPool& pool : plan_.pools) {
    for (const GatewayWay& way : pool.ways) {
      const auto known = keys_.find(way.name);
      const auto before = known == keys_.end() ? std::nullopt : std::optional(known->second);
      const auto view = views_.find(way.name);
      const wireguard::PublicKey key = key_in_use(
          way, view == views_.end() ? std::vector<wireguard::PeerState>{} : view->second.peers, before);
      keys_[way.name] = key;
      tunnels.push_back(tunnel_of(pool, way, private_key_, key, options_.mtu));
    }
  }
  std::vector<firewall::RuleSet> rules{access_rules(plan_, IpFamily::kV4),
                                       access_rules(plan_, IpFamily::kV6)};
  const auto out = std::make_shared<Look>();  // shared by the job and what comes after it
  tools_.worker.run(
      [&keeper = tools_.tunnels, &firewall = tools_.firewall, tunnels = std::move(tunnels),
       rules = std::move(rules), out] {
        out->rules = firewall.look(rules);  // before a tunnel carries anything
        out->tunnels = keeper.look(tunnels);
      },
      [this, out] { looked(*out); });
}

void AccessAgent::looked(const Look& look) {
  looking_ = false;
  looked_ = true;
  const std::vector<const GatewayWay*> ways = plan_.ways();
  views_.clear();
  for (const GatewayWay* way : ways) {
    const auto found = std::ranges::find(look.tunnels.tunnels, way->link, &TunnelView::link);
    if (found != look.tunnels.tunnels.end()) views_[way->name] = *found;
  }
  show_look(look);
  watch();
  choose_all();
  publish();
  const bool failed = !look.tunnels.done || !look.rules.done;
  const bool again = std::exchange(look_again_, false) || learn_keys();
  const std::chrono::nanoseconds resync = options_.resync;
  look_after(again ? 0ns : failed ? kRetry : changes_keys() ? kKeysLook : resync);
}

void AccessAgent::look_after(std::chrono::nanoseconds delay) {
  const auto due = now() + delay;
  if (look_timer_.pending() && look_due_ <= due) return;
  look_due_ = due;
  look_timer_ = tools_.loop.after(delay, [this] { this->look(); });
}

void AccessAgent::show_look(const Look& look) {
  for (const std::string& line : look.tunnels.news) tools_.log.info("tunnel", {{"what", line}});
  tools_.health.set(kTunnelsInPlace, look.tunnels.done ? "" : look.tunnels.done.error().message);
  tools_.health.set(kRulesInPlace, look.rules.done ? "" : look.rules.done.error().message);
  tools_.metrics.rules_mended.add(static_cast<double>(look.rules.mended));
  tools_.metrics.refused.set(static_cast<double>(look.rules.refused));
  tools_.metrics.ready.set(tools_.health.ready() ? 1 : 0);
}

/// True: a gateway speaks with another of its keys now.
bool AccessAgent::learn_keys() {
  bool changed = false;
  for (const GatewayWay* way : plan_.ways()) {
    const auto view = views_.find(way->name);
    const auto known = keys_.find(way->name);
    if (view == views_.end() || known == keys_.end()) continue;
    const wireguard::PublicKey key = key_in_use(*way, view->second.peers, known->second);
    if (key == known->second) continue;
    tools_.log.info("gateway speaks with another key",
                    {{"gateway", way->name.to_string()}, {"key", key.to_string()}});
    changed = true;
  }
  return changed;
}

bool AccessAgent::changes_keys() const {
  return std::ranges::any_of(plan_.ways(), [](const GatewayWay* way) { return way->keys.size() > 1; });
}

int AccessAgent::ifindex_of(const WayName& way) const {
  const auto found = views_.find(way);
  return found == views_.end() ? 0 : found->second.ifindex;
}

}  // namespace holdfast::gateway
