#include "egw-gateway/helper/agent.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <variant>

#include "egw-gateway/helper/concerns.h"
#include "egw-gateway/helper/kernel_routes.h"

namespace holdfast::gateway {
namespace {

using namespace std::chrono_literals;

// Events of the kernel come in floods: they are taken together, and leave the loop its time.
constexpr auto kGather = 1ms;
constexpr auto kRoundDistance = 30ms;
// Time alone may change the choice.
constexpr auto kUndecided = 250ms;
constexpr auto kRetry = 500ms;

}  // namespace

Agent::Agent(const Tools& tools, HelperOptions options) : tools_(tools), options_(std::move(options)) {
  tools_.liveness.on_change(
      [this](const std::string& name, Word word, const std::string& why) { gateway_told(name, word, why); });
}

Status Agent::start(GatewaySource& source) {
  const Status closed = close();
  if (!closed)
    tools_.log.error("ranges could not be closed by the store", {{"error", closed.error().message}});
  HOLDFAST_CHECK(watch_kernel());
  round();
  source_ = &source;
  return source.start(*this);
}

Status Agent::watch_kernel() {
  HOLDFAST_TRY(nl::Monitor monitor,
               nl::Monitor::open({.links = true, .addresses = true, .routes = true, .rules = true}));
  monitor_ = std::move(monitor);
  HOLDFAST_TRY(monitor_events_,
               tools_.loop.watch(monitor_->fd(), {.readable = true}, [this](Readiness) { kernel_told(); }));
  return {};
}

void Agent::kernel_told() {
  const Result<std::vector<nl::Event>> events = monitor_->read();
  if (!events) {
    tools_.log.warning("events of the kernel", {{"error", events.error().message}});
    return round_after(kRoundDistance);
  }
  const auto lost = [](const nl::Event& event) { return std::holds_alternative<nl::Resync>(event); };
  if (std::ranges::any_of(*events, lost)) tools_.metrics.resyncs.add();
  const std::vector<Gateway> gateways = known_ ? known_->gateways : std::vector<Gateway>{};
  const bool concerned = std::ranges::any_of(
      *events, [&](const nl::Event& event) { return concerned_by(event, gateways, facts_, options_.links); });
  if (concerned) {
    round_after(std::max<std::chrono::nanoseconds>(kGather, round_ended_ + kRoundDistance - now()));
  }
}

void Agent::keys(const std::string& trouble) {
  if (trouble == keys_trouble_) return;
  keys_trouble_ = trouble;
  targets_.clear();
  round_after({});
}

void Agent::look_again() {
  round_after({});
  if (source_ != nullptr) source_->look_again();
}

bool Agent::is_listed_by(const EdgeGateway& gateway) const {
  return std::ranges::find(gateway.nodes, options_.node_name, &PoolMember::name) != gateway.nodes.end();
}

bool Agent::is_left_out(const EdgeGateway& gateway) const {
  // an object without any node says nothing
  return listed_ && !gateway.nodes.empty() && !is_listed_by(gateway);
}

void Agent::told(EdgeGateway gateway) {
  if (is_left_out(gateway)) return leave("this node is none of the pool's any more");
  if (!tells_range(gateway)) return leave("the pool's EdgeGateway tells no range");
  removal_.end();
  removed_ = false;
  const std::string lost = known_ ? lost_lists(*known_, gateway) : "";
  object_stands(lost.empty() ? "" : "the pool's EdgeGateway has lost its " + lost + "; what stands goes on");
  if (!lost.empty()) return;
  listed_ = listed_ || is_listed_by(gateway);
  if (!known_ || !tells_the_same(*known_, gateway)) {
    tools_.log.info(
        "pool told",
        {{"pool", gateway.pool}, {"gateways", gateway.gateways.size()}, {"generation", gateway.generation}});
    known_ = std::move(gateway);
    round();
  }
  if (!is_stored()) save();
}

void Agent::object_stands(const std::string& trouble) {
  tools_.health.set(kObjectStands, trouble);
  tools_.metrics.object_lost.set(trouble.empty() ? 0 : 1);
}

void Agent::health(const std::string& trouble) {
  heard_ = trouble.empty();
  tools_.health.set(kSourceHeard, trouble);
}

void Agent::gateway_told(const std::string& name, Word word, const std::string& why) {
  tools_.log.info(word == Word::kUp ? "gateway is up" : "gateway is down", {{"gateway", name}, {"why", why}});
  history_.told(name, word, now());
  round();
}

bool Agent::is_stored() const {
  return stored_ && known_ && tells_the_same(stored_->gateway, *known_) && stored_->servers == servers_ &&
         stored_->networks == networks_;
}

void Agent::save() {
  if (saving_) return;
  saving_ = true;
  const auto done = std::make_shared<Status>();  // shared by the job and what comes after it
  stored_ = HelperState{*known_, servers_, networks_};
  tools_.worker.run([&store = tools_.store, state = *stored_, done] { *done = store.save(state); },
                    [this, done] { saved(*done); });
}

void Agent::saved(const Status& done) {
  saving_ = false;
  tools_.health.set(kStateStored, done ? "" : done.error().message);
  if (!done) stored_.reset();  // tried again with a round
  if (done && known_ && !is_stored()) save();
}

void Agent::round_after(std::chrono::nanoseconds delay) {
  const auto due = now() + delay;
  if (round_timer_.pending() && round_due_ <= due) return;
  round_due_ = due;
  round_timer_ = tools_.loop.after(delay, [this] { round(); });
}

void Agent::round() {
  round_timer_.end();
  const Status done = put_all_right();
  tools_.health.set(kRoutesInPlace, done ? "" : done.error().message);
  tools_.metrics.ready.set(tools_.health.ready() ? 1 : 0);
  round_ended_ = now();
  if (known_ && !is_stored()) save();
  const std::chrono::nanoseconds resync = options_.resync;
  round_after(!done ? kRetry : choice_.undecided ? kUndecided : resync);
}

}  // namespace holdfast::gateway
