#include "egw-gateway/controller/pool_controller.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "egw-gateway/controller/pool_names.h"

namespace holdfast::gateway {
namespace {

using nlohmann::json;
using std::chrono::nanoseconds;

constexpr std::chrono::milliseconds kGather{20};  // what comes together is looked at together

kube::LeaderOptions lease_of(const PoolController::Options& options) {
  kube::LeaderOptions out = options.lease;
  out.name_space = options.plan.objects.name_space;
  out.name = kController;
  out.identity = options.identity;
  return out;
}

// What is counted from when `so` became true.
void count(std::optional<nanoseconds>& since, bool so, nanoseconds now) {
  if (!so) since.reset();
  if (so && !since) since = now;
}

}  // namespace

PoolController::PoolController(const Context& context, const Options& options)
    : context_(context),
      options_(options),
      view_({.loop = context.loop, .http = context.http, .client = context.client, .log = context.log},
            {.name_space = options.plan.objects.name_space,
             .seed = options.seed,
             .ask_again = options.ask_again},
            [this] { changed(); }),
      recorder_(context.loop, context.client, kController, options.host, options.seed + 20),
      election_(context.loop, context.client, lease_of(options),
                {.started = [this] { changed(); },
                 .stopped = [this] { cease(); },
                 .trouble =
                     [&log = context.log](const Error& error) {
                       log.warning("leader election", {{"why", error.message}});
                     }},
                options.seed + 30) {}

PoolController::~PoolController() = default;

void PoolController::start() {
  view_.start();
  election_.start();
}

void PoolController::stop(std::function<void()> done) {
  cease();
  election_.resign(std::move(done));
}

// Another leads now, and what it does is not known here.
void PoolController::cease() {
  works_.clear();
  given_.clear();
  show();
}

// Not from within a watch's call.
void PoolController::changed() {
  if (!soon_.pending()) soon_ = context_.loop.after(kGather, [this] { look(); });
}

void PoolController::look_again_in(nanoseconds time) {
  const nanoseconds at = now() + time;
  if (later_.pending() && later_at_ <= at) return;
  later_at_ = at;
  later_ = context_.loop.after(time, [this] { look(); });
}

void PoolController::look() {
  if (!view_.is_known() || !election_.leads()) return;
  const ClusterSight cluster = view_.sight(given_);
  const std::vector<std::string> pools = pools_of(cluster);
  std::erase_if(works_,
                [&](const auto& work) { return std::ranges::find(pools, work.first) == pools.end(); });
  std::erase_if(given_, [&](const auto& given) { return !works_.contains(given.first); });
  for (const std::string& pool : pools) {
    if (works_[pool].call == nullptr) look_at(cluster, pool);
  }
  show();
}

void PoolController::look_at(const ClusterSight& cluster, const std::string& pool) {
  const Result<FreshKeys> fresh = make_fresh_keys();
  if (!fresh) return context_.log.error("no keys can be made", {{"why", fresh.error().message}});
  Work& work = works_[pool];
  remember(cluster, pool, work);
  const PoolPlan plan =
      plan_pool(cluster, pool, work.memory, options_.plan, *fresh, utc_text(context_.loop.clock().now()));
  if (plan.tunnels) given_[pool] = *plan.tunnels;
  count(work.gone_since, plan.gone, now());
  tell(cluster, pool, work, plan);
  if (plan.again_in) look_again_in(*plan.again_in);
  if (const Step* step = next_step(work, plan)) begin(pool, *step);
}

void PoolController::remember(const ClusterSight& cluster, const std::string& pool, Work& work) const {
  const auto gateway = cluster.gateways.find(pool);
  count(work.absent_since, gateway == cluster.gateways.end(), now());
  if (gateway != cluster.gateways.end() && gateway->second.trouble.empty())
    work.memory.spec = gateway->second.spec;
  work.memory.gone_for = work.gone_since ? now() - *work.gone_since : nanoseconds{};
  work.memory.gateway_absent_for = work.absent_since ? now() - *work.absent_since : nanoseconds{};
}

void PoolController::tell(const ClusterSight& cluster, const std::string& pool, Work& work,
                          const PoolPlan& plan) {
  work.findings = plan.findings;
  if (plan.news == work.news) return;
  work.news = plan.news;
  const auto node_pool = cluster.pools.find(pool);
  const auto gateway = cluster.gateways.find(pool);
  for (const PoolFinding& each : plan.news) {
    context_.log.warning("pool", {{"pool", pool}, {"reason", each.reason}, {"why", each.message}});
    kube::EventNote note{
        .name = pool, .warning = true, .reason = std::string(each.reason), .message = each.message};
    if (node_pool != cluster.pools.end()) {
      note.api_version = node_pool->second.api_version;
      note.kind = "NodePool";
      note.uid = node_pool->second.id.uid;
    } else if (gateway != cluster.gateways.end()) {
      note.api_version = kEdgeGatewayApiVersion;
      note.kind = kEdgeGatewayKind;
      note.uid = gateway->second.id.uid;
    }
    recorder_.record(std::move(note));
  }
}

const Step* PoolController::next_step(Work& work, const PoolPlan& plan) {
  for (const Step& step : plan.steps) {
    const auto wait = work.waits.find(step.key());
    if (wait == work.waits.end() || wait->second.until <= now()) return &step;
    look_again_in(wait->second.until - now());
  }
  return nullptr;
}

void PoolController::begin(const std::string& pool, const Step& step) {
  if (step.verb == Verb::kApply && step.uid.empty()) return look_before(pool, step);
  write(pool, step);
}

// One that the watch has not told may be somebody else's, which an apply would take over.
void PoolController::look_before(const std::string& pool, const Step& step) {
  const kube::CallOptions options{.kept = ClusterView::fields(step.kind), .deadline = options_.write};
  works_[pool].call = context_.client.get(
      view_.resource(step.kind), step.name,
      [this, pool, step](const Result<json>& found) {
        if (!election_.leads()) return cease();
        if (found) {
          works_[pool].call.reset();
          view_.told(step.kind, *found);
          return failed(pool, step, {Code::kAborted, 0, "it is there already"});
        }
        if (found.error().code != Code::kNotFound) return done(pool, step, found);
        write(pool, step);
      },
      options);
}

void PoolController::write(const std::string& pool, const Step& step) {
  const kube::CallOptions options{.kept = ClusterView::fields(step.kind), .deadline = options_.write};
  const kube::Resource resource = view_.resource(step.kind);
  const auto told = [this, pool, step](const Result<json>& outcome) { done(pool, step, outcome); };
  kube::ObjectClient& client = context_.client;
  context_.log.info("writes", {{"pool", pool}, {"kind", to_string(step.kind)}, {"name", step.name}});
  kube::ObjectClient::CallPtr call;
  switch (step.verb) {
    case Verb::kApply:
      call = client.apply(resource, step.object, told, options);
      break;
    case Verb::kApplyStatus:
      call = client.apply(resource, step.object, told, options, "status");
      break;
    case Verb::kCreate:
      call = client.create(resource, step.object, told, options);
      break;
    case Verb::kReplace:
      call = client.update(resource, step.object, told, options);
      break;
    case Verb::kRemove:
      call = client.remove(resource, step.name, step.uid, told, options);
      break;
  }
  works_[pool].call = std::move(call);
}

void PoolController::done(const std::string& pool, const Step& step, const Result<json>& outcome) {
  if (!election_.leads()) return cease();
  Work& work = works_[pool];
  const kube::ObjectClient::CallPtr ended = std::exchange(work.call, nullptr);
  const bool gone = step.verb == Verb::kRemove && !outcome && outcome.error().code == Code::kNotFound;
  if (!outcome && !gone) return failed(pool, step, outcome.error());
  work.waits.erase(step.key());
  if (step.verb == Verb::kRemove) {
    work.memory.applied.erase(step.key());
    view_.removed(step.kind, {.name = step.name, .uid = step.uid});
  } else {
    const json& metadata = outcome->value("metadata", json::object());
    if (step.verb == Verb::kApply)
      work.memory.applied[step.key()] = metadata.value("generation", std::int64_t{0});
    view_.told(step.kind, *outcome);
  }
  changed();
}

void PoolController::failed(const std::string& pool, const Step& step, const Error& error) {
  Work& work = works_[pool];
  context_.metrics.counter("holdfast_egw_failed_writes_total", "Writes that failed and are tried again")
      .add();
  context_.log.warning(
      "not written",
      {{"pool", pool}, {"kind", to_string(step.kind)}, {"name", step.name}, {"why", error.message}});
  const auto [wait, is_new] = work.waits.try_emplace(
      step.key(), Wait{.backoff = Backoff(options_.first_wait, options_.longest_wait, options_.seed + 40)});
  const nanoseconds time = wait->second.backoff.next();
  wait->second.until = now() + time;
  look_again_in(time);
  changed();
}

void PoolController::show() {
  context_.metrics.gauge("holdfast_egw_leads", "1: this controller acts").set(election_.leads() ? 1 : 0);
  std::map<std::string_view, double> findings;
  for (const auto& [pool, work] : works_) {
    for (const PoolFinding& each : work.findings) findings[each.type] += 1;
  }
  for (const char* type : {kEnhanced, kAnnotationsUsable, kConnectionKnown, kRangesDisjoint,
                           kServicesReachable, kNodesSuffice, kNodesInPlace, kObjectsOwned, kObjectUsable,
                           kKeysUsable, kKeysCurrent, kTunnelsGiven, kGatewaysReady}) {
    context_.metrics
        .gauge("holdfast_egw_findings", "What is wrong with pools, by condition", {{"condition", type}})
        .set(findings[type]);
  }
}

}  // namespace holdfast::gateway
