#include "egw-gateway/core/core_agent.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <variant>

#include "egw-gateway/core/core_concerns.h"
#include "egw-gateway/model/gateway_names.h"

namespace holdfast::gateway {
namespace {

using namespace std::chrono_literals;

// Events of the kernel come in floods: they are taken together, and leave the loop its time.
constexpr auto kGather = 1ms;
constexpr auto kRoundDistance = 30ms;
// Time alone may change the choice.
constexpr auto kUndecided = 250ms;
constexpr auto kRetry = 500ms;
constexpr auto kSweep = 30s;
// A farewell that is lost is found out in the detection time; longer than this nobody waits for us to end.
constexpr auto kShortestLeave = 500ms;
constexpr auto kLongestLeave = 7s;

}  // namespace

CoreAgent::CoreAgent(const Tools& tools, CoreOptions options) : tools_(tools), options_(std::move(options)) {
  tools_.liveness.on_access(
      [this](const std::string& name, Word word, const std::string& why) { access_told(name, word, why); });
  tools_.liveness.on_node([this](const std::string& node, Word word, const std::string& why) {
    tools_.log.info(word == Word::kUp ? "node sends by this gateway if it likes" : "node is not heard",
                    {{"node", node}, {"why", why}});
  });
}

Status CoreAgent::start(GatewaySource& source) {
  const Status read = read_store();
  if (!read) tools_.log.error("store cannot be read", {{"error", read.error().message}});
  HOLDFAST_CHECK(watch_kernel());
  first_word_ = tools_.loop.after(kFirstWord, [this] { round(); });
  HOLDFAST_TRY(link_before_, link_in_use(tools_.socket));
  sweep();
  round();
  source_ = &source;
  return source.start(*this);
}

void CoreAgent::sweep() {
  tools_.liveness.sweep();
  sweep_timer_ = tools_.loop.after(kSweep, [this] { sweep(); });
}

Status CoreAgent::read_store() {
  HOLDFAST_TRY(CoreStore::Loaded loaded, tools_.store.load());
  for (const std::string& note : loaded.notes) tools_.log.warning("store", {{"note", note}});
  known_ = std::move(loaded.object);
  stored_ = known_;
  tools_.log.info("store read", {{"path", tools_.store.path().native()}, {"known", known_.has_value()}});
  return {};
}

Status CoreAgent::watch_kernel() {
  HOLDFAST_TRY(nl::Monitor monitor, nl::Monitor::open({.links = true, .addresses = true, .routes = true}));
  monitor_ = std::move(monitor);
  HOLDFAST_TRY(monitor_events_,
               tools_.loop.watch(monitor_->fd(), {.readable = true}, [this](Readiness) { kernel_told(); }));
  return {};
}

bool CoreAgent::concerned_by(const nl::Event& event) const {
  if (const auto* link = std::get_if<nl::LinkEvent>(&event))
    return tools_.works.concerned_by(link->link) || link->link.name == options_.link;
  if (const auto* route = std::get_if<nl::RouteEvent>(&event)) {
    const std::uint8_t protocol = route->route.protocol;
    return route->gone && (protocol == kRouteProtocol || protocol == kTunnelProtocol);
  }
  if (const auto* address = std::get_if<nl::AddressEvent>(&event)) {
    return address->gone && std::ranges::any_of(links_, [&](const auto& link) {
             return link.second == address->address.ifindex;
           });
  }
  return std::holds_alternative<nl::Resync>(event);
}

void CoreAgent::kernel_told() {
  const Result<std::vector<nl::Event>> events = monitor_->read();
  if (!events) {
    tools_.log.warning("events of the kernel", {{"error", events.error().message}});
    return round_after(kRoundDistance);
  }
  const auto concerned = [this](const nl::Event& event) { return concerned_by(event); };
  if (std::ranges::any_of(*events, concerned)) {
    round_after(std::max<std::chrono::nanoseconds>(kGather, round_ended_ + kRoundDistance - now()));
  }
}

void CoreAgent::look_again() {
  round_after({});
  if (source_ != nullptr) source_->look_again();
}

void CoreAgent::told(EdgeGateway gateway) {
  const std::string lost = known_ ? lost_lists(*known_, gateway) : "";
  object_stands(lost.empty() ? "" : "the pool's EdgeGateway has lost its " + lost + "; what stands goes on");
  if (!lost.empty()) return;
  if (!known_ || !tells_the_same(*known_, gateway)) {
    tools_.log.info("pool told", {{"pool", gateway.pool},
                                  {"access_points", gateway.access_points.size()},
                                  {"generation", gateway.generation}});
    known_ = std::move(gateway);
    round();
  }
  if (!stored_ || !tells_the_same(*stored_, *known_)) save();
}

/// Who takes the object away takes this gateway away too; until then it goes on with what it knows.
void CoreAgent::gone() { object_stands("the pool's EdgeGateway is gone; what stands goes on"); }

void CoreAgent::object_stands(const std::string& trouble) {
  tools_.health.set(core_concern::kObjectStands, trouble);
  tools_.metrics.object_lost.set(trouble.empty() ? 0 : 1);
}

void CoreAgent::health(const std::string& trouble) { tools_.health.set(core_concern::kSourceHeard, trouble); }

/// What is told while all are asked to leave is our own doing.
void CoreAgent::access_told(const std::string& name, Word word, const std::string& why) {
  if (leaving_) return;
  tools_.log.info(word == Word::kUp ? "access point is up" : "access point is down",
                  {{"access_point", name}, {"why", why}});
  history_.told(name, word, now());
  look_at_choice();
  const Status put = put_routes();
  tools_.health.set(core_concern::kRoutesInPlace, put ? "" : put.error().message);
  round_after(kGather);
}

std::chrono::nanoseconds CoreAgent::time_to_leave() const {
  const std::chrono::nanoseconds twice = 2 * tools_.liveness.longest_detection();
  return std::clamp<std::chrono::nanoseconds>(twice, kShortestLeave, kLongestLeave);
}

void CoreAgent::leave(EventLoop::Callback left) {
  const auto time = time_to_leave();
  tools_.log.info("all are told to send by another gateway",
                  {{"for_ms", std::chrono::duration_cast<std::chrono::milliseconds>(time).count()}});
  leaving_ = true;
  tools_.liveness.leave(true);
  leaving_timer_ = tools_.loop.after(time, std::move(left));
}

void CoreAgent::save() {
  if (saving_) return;
  saving_ = true;
  const auto done = std::make_shared<Status>();  // shared by the job and what comes after it
  stored_ = known_;
  tools_.worker.run([&store = tools_.store, object = *known_, done] { *done = store.save(object); },
                    [this, done] { saved(*done); });
}

void CoreAgent::saved(const Status& done) {
  saving_ = false;
  tools_.health.set(core_concern::kStateStored, done ? "" : done.error().message);
  if (!done) stored_.reset();  // tried again with a round
  if (done && known_ && (!stored_ || !tells_the_same(*stored_, *known_))) save();
}

void CoreAgent::round_after(std::chrono::nanoseconds delay) {
  const auto due = now() + delay;
  if (round_timer_.pending() && round_due_ <= due) return;
  round_due_ = due;
  round_timer_ = tools_.loop.after(delay, [this] { round(); });
}

void CoreAgent::round() {
  round_timer_.end();
  const Status done = put_all_right();
  tools_.health.set(core_concern::kRoutesInPlace, done ? "" : done.error().message);
  show();
  round_ended_ = now();
  if (known_ && !stored_) save();
  const std::chrono::nanoseconds resync = options_.resync;
  round_after(!done ? kRetry : choice_.undecided ? kUndecided : resync);
}

}  // namespace holdfast::gateway
