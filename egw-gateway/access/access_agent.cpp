#include "egw-gateway/access/access_agent.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "egw-gateway/access/backstop.h"
#include "egw-gateway/access/local_address.h"

// What is to be: from the store and the source to a plan. access_look.cpp goes on from there.
namespace holdfast::gateway {
namespace {

using namespace std::chrono_literals;

constexpr auto kGather = 2ms;  // events of the kernel come in floods
constexpr auto kRetry = 500ms;
constexpr auto kKernelPatience = 2s;
constexpr auto kCloudPatience = 60s;
constexpr auto kFarewellLook = 20ms;  // it is asked so often whether all have heard it

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
      objects_lost(metrics.gauge(
          "egw_access_objects_lost",
          "Pools whose EdgeGateway is gone or was emptied, and that are taken away in a while.")),
      ready(metrics.gauge("egw_access_ready", "Whether the access point is ready.")) {}

AccessAgent::AccessAgent(const Tools& tools, AccessOptions options, const wireguard::SecretKey& private_key,
                         Reported reported)
    : tools_(tools),
      options_(std::move(options)),
      private_key_(private_key),
      reported_(std::move(reported)),
      liveness_(tools.loop,
                [this](const WayName& way, Word word, const std::string& why) { way_told(way, word, why); }) {
  kernel_ = std::make_unique<RoutePublisher>(
      tools.loop, tools.kernel, kKernelPatience,
      [this](const RouteAnswer<Publication>& answer) { kernel_published(answer); });
  if (tools.cloud == nullptr) return;
  cloud_ = std::make_unique<RoutePublisher>(
      tools.loop, *tools.cloud, kCloudPatience,
      [this](const RouteAnswer<Publication>& answer) { vpc_published(answer); });
}

Status AccessAgent::close() {
  Result<AccessStore::Loaded> read = tools_.store.load();
  if (!read) tools_.log.error("store cannot be read", {{"error", read.error().message}});
  AccessStore::Loaded loaded = read ? *std::move(read) : AccessStore::Loaded{};
  for (const std::string& note : loaded.notes) tools_.log.warning("store", {{"note", note}});
  pools_ = std::move(loaded.pools);
  served_ = std::move(loaded.served);
  stored_whole_ = loaded.whole;
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
  const auto known = pools_.find(pool);
  const std::string lost = known == pools_.end() ? "" : lost_lists(known->second, gateway);
  if (!lost.empty()) return let_go(pool, "has lost its " + lost, std::move(gateway));
  keep(pool);
  if (known == pools_.end() && !names_us(gateway)) return;
  if (known != pools_.end() && tells_the_same(known->second, gateway)) return;
  tools_.log.info(
      "pool told",
      {{"pool", pool}, {"gateways", gateway.gateways.size()}, {"generation", gateway.generation}});
  pools_[pool] = std::move(gateway);
  plan();
  save();  // with who is served now: a pool that asks for what is another's is not to have it after a kill
}

void AccessAgent::gone(const std::string& pool) { let_go(pool, "is gone", std::nullopt); }

bool AccessAgent::names_us(const EdgeGateway& gateway) const {
  return std::ranges::find(gateway.access_points, options_.access_point, &AccessPoint::name) !=
         gateway.access_points.end();
}

/// `what` became of its object. What works goes on meanwhile: somebody may not have meant the pool's end.
void AccessAgent::let_go(const std::string& pool, const std::string& what,
                         std::optional<EdgeGateway> emptied) {
  if (!pools_.contains(pool)) return;
  const auto [there, fresh] = removals_.try_emplace(pool);
  Removal& removal = there->second;
  removal.why = "its EdgeGateway " + what + "; its tunnels end " +
                std::to_string(options_.removal_delay.count()) +
                " s after that was heard, unless it is as it was by then";
  removal.emptied = std::move(emptied);
  if (fresh) removal.due = tools_.loop.after(options_.removal_delay, [this, pool] { remove(pool); });
  show_removals(pool);
}

void AccessAgent::keep(const std::string& pool) {
  if (removals_.erase(pool) != 0) show_removals(pool);
}

void AccessAgent::remove(const std::string& pool) {
  tools_.log.info("a pool is taken away", {{"pool", pool}});
  std::optional<EdgeGateway> emptied = std::move(removals_[pool].emptied);
  keep(pool);
  pools_.erase(pool);
  if (emptied && names_us(*emptied)) pools_[pool] = *std::move(emptied);
  save();
  plan();
}

void AccessAgent::show_removals(const std::string& changed) {
  std::string text;
  for (const auto& [pool, removal] : removals_) {
    text.append(text.empty() ? "pool " : "; pool ").append(pool).append(": ").append(removal.why);
  }
  tools_.health.set(kObjectsStand, text);
  tools_.metrics.objects_lost.set(static_cast<double>(removals_.size()));
  const auto served = std::ranges::find(plan_.pools, changed, &ServedPool::name);
  const auto sight = sights_.find(changed);
  if (served != plan_.pools.end() && sight != sights_.end()) report(*served, sight->second);
}

void AccessAgent::only(const std::set<std::string>& pools) {
  if (!std::exchange(listed_, true)) {
    save();
    look_after({});
  }
  std::vector<std::string> absent;
  for (const auto& [pool, object] : pools_) {
    if (!pools.contains(pool)) absent.push_back(pool);
  }
  for (const std::string& pool : absent) gone(pool);
}

void AccessAgent::health(const std::string& trouble) { tools_.health.set(kSourceHeard, trouble); }

/// A part of the pools would be taken for all of them at the next start.
void AccessAgent::save() {
  if (!listed_ && !stored_whole_) return;
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

/// From what is known to what is to be.
void AccessAgent::plan() {
  look_at_own();
  plan_ = plan_access(pools_, options_.access_point, served_, own_, plan_.pools);
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

}  // namespace holdfast::gateway
