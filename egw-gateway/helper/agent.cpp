#include "egw-gateway/helper/agent.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "common/base/host_addresses.h"
#include "egw-gateway/helper/concerns.h"
#include "egw-gateway/helper/kernel_routes.h"
#include "egw-gateway/helper/removal.h"
#include "egw-gateway/helper/server_addresses.h"

namespace holdfast::gateway {
namespace {

using namespace std::chrono_literals;

// Events of the kernel come in floods: they are taken together, and leave the loop its time.
constexpr auto kGather = 1ms;
constexpr auto kRoundDistance = 30ms;
// Name servers tell of changes to nobody.
constexpr auto kServersTrusted = 60s;
constexpr auto kServersMissed = 5s;
// Time alone may change the choice.
constexpr auto kUndecided = 250ms;
constexpr auto kRetry = 500ms;
// What ends the pod of a node that was taken out of the pool is faster than who tells of it.
constexpr auto kLastWord = 3s;

/// Of two objects whether all that counts here is the same.
bool is_same(EdgeGateway a, EdgeGateway b) {
  for (EdgeGateway* one : {&a, &b}) {
    one->resource_version.clear();
    one->generation = 0;
  }
  return a == b;
}

bool lists(const EdgeGateway& gateway, const std::string& node) {
  return std::ranges::find(gateway.nodes, node, &PoolMember::name) != gateway.nodes.end();
}

std::string shown(const std::string& gateway) { return gateway.empty() ? "none" : gateway; }

}  // namespace

HelperMetrics::HelperMetrics(Metrics& metrics)
    : all(metrics),
      switches(metrics.counter("egw_helper_switches_total", "Changes from one gateway to another.")),
      outages(metrics.counter("egw_helper_outages_total", "Times that no gateway was left.")),
      routes_mended(metrics.counter("egw_helper_routes_mended_total",
                                    "Looks at which routes or rules of ours were not as they had been put.")),
      rules_mended(metrics.counter("egw_helper_rules_mended_total",
                                   "Sets of packet-filter rules that others had changed.")),
      resyncs(
          metrics.counter("egw_helper_netlink_resyncs_total", "Times that events of the kernel were lost.")),
      refused(metrics.gauge(
          "egw_helper_refused_packets",
          "Packets dropped since the rules were put: the first of connections from the cloud to "
          "this node, and those for the cloud that others send by it.")),
      passed_over(metrics.gauge("egw_helper_routes_passed_over",
                                "Routes of others for all or a part of a range, which count for nothing.")),
      bfd_hindered(
          metrics.gauge("egw_helper_bfd_hindered",
                        "Whether liveness is kept from working here: another BFD daemon has the port, say.")),
      ranges(metrics.gauge("egw_helper_ranges", "Blocks of addresses that are routed to a gateway.")),
      ready(metrics.gauge("egw_helper_ready", "Whether the node is ready.")) {}

Agent::Agent(const Tools& tools, HelperOptions options) : tools_(tools), options_(std::move(options)) {
  tools_.liveness.on_change(
      [this](const std::string& name, Word word, const std::string& why) { gateway_told(name, word, why); });
}

Result<HelperStore::Loaded> Agent::read_store() {
  HOLDFAST_TRY(HelperStore::Loaded loaded, tools_.store.load());
  for (const std::string& note : loaded.notes) tools_.log.warning("store", {{"note", note}});
  tools_.log.info("store read",
                  {{"path", tools_.store.path().native()}, {"known", loaded.state.has_value()}});
  return loaded;
}

void Agent::take(std::optional<HelperState> state) {
  stored_ = std::move(state);
  if (!stored_) return;
  known_ = stored_->gateway;
  listed_ = lists(*known_, options_.node_name);
  servers_ = stored_->servers;
  networks_ = stored_->networks;
}

Status Agent::close() {
  HOLDFAST_TRY(HelperStore::Loaded loaded, read_store());
  take(std::move(loaded.state));
  return close_known();
}

Status Agent::close_at_boot() {
  HOLDFAST_TRY(HelperStore::Loaded loaded, read_store());
  const bool ours = loaded.state.has_value();
  take(ours ? std::move(loaded.state) : std::move(loaded.foreign));
  if (!ours) networks_.clear();  // of another node's links
  if (!known_ && !loaded.ranges.empty()) {
    known_ = EdgeGateway{};
    known_->vpc_cidrs = loaded.ranges;
  }
  const Status closed = close_known();
  if (known_) {
    const NodeRanges to_close = node_ranges(*known_, ranges(facts_));
    // an iptables whose modules nobody has loaded so early is no reason to call closed ranges open
    const Status put = tools_.firewall.look(rule_sets(facts_, to_close, local_ways(facts_))).done;
    if (!put) tools_.log.warning("packet-filter rules wait for egw-helper", {{"error", put.error().message}});
  }
  HOLDFAST_CHECK(closed);
  if (ours || (!known_ && loaded.notes.empty())) return {};
  const std::string why =
      loaded.notes.empty() ? "there is no " + tools_.store.path().native() : loaded.notes.front();
  return fail(
      Code::kFailedPrecondition,
      (known_ ? "ranges were closed, though not by this node's own store: " : "no range was closed: ") + why +
          "; an egw-helper that hears of its pool puts it right, and a node of no pool needs no such " +
          "files");
}

Status Agent::close_known() {
  if (!known_) return {};
  // the links may not be there, and nobody was heard
  HOLDFAST_TRY(facts_, read_facts(tools_.socket, options_.links));
  choice_.active = gateway_in_use(known_->gateways, facts_, options_.links);
  choice_.last = choice_.active;
  const Gateway* in_use = gateway(choice_.active);
  const NextHops active = in_use == nullptr ? NextHops{} : ways_to(*in_use, facts_, options_.links);
  wanted_ = routes_wanted(node_ranges(*known_, ranges(facts_)), active, local_ways(facts_), options_.links);
  HOLDFAST_CHECK(apply_routes(tools_.socket, plan_routes(wanted_, facts_)));
  closed_ = true;
  tools_.log.info("ranges closed by the store",
                  {{"ranges", wanted_.routes.size()}, {"gateway", shown(choice_.active)}});
  return {};
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

bool Agent::is_left_out(const EdgeGateway& gateway) const {
  // an object without any node says nothing
  return listed_ && !gateway.nodes.empty() && !lists(gateway, options_.node_name);
}

void Agent::told(EdgeGateway gateway) {
  if (is_left_out(gateway)) return leave("this node is none of the pool's any more");
  listed_ = listed_ || lists(gateway, options_.node_name);
  removal_.end();
  removed_ = false;
  if (!known_ || !is_same(*known_, gateway)) {
    tools_.log.info(
        "pool told",
        {{"pool", gateway.pool}, {"gateways", gateway.gateways.size()}, {"generation", gateway.generation}});
    known_ = std::move(gateway);
    round();
  }
  if (!is_stored()) save();
}

void Agent::gone() { leave("the pool's EdgeGateway is gone"); }

void Agent::leave(const std::string& why) {
  if (removed_ || removal_.pending()) return;
  const std::chrono::seconds delay = ending_ ? 0s : options_.removal_delay;
  tools_.log.warning(why, {{"removal_in_s", delay.count()}});
  removal_ = tools_.loop.after(delay, [this] { remove(); });
}

void Agent::remove() {
  tools_.log.info("routes, rules and store are taken away");
  removal_.end();
  removed_ = true;
  removing_ = true;
  known_.reset();
  stored_.reset();
  choice_ = {};
  history_ = {};
  round();
  const auto done = std::make_shared<Status>();  // shared as in save()
  tools_.worker.run([tools = RemovalTools{tools_.files, tools_.store, tools_.firewall}, options = options_,
                     done] { *done = remove_all(tools, options); },
                    [this, done] { removal_tried(*done); });
}

void Agent::removal_tried(const Status& done) {
  removing_ = !done;
  if (!done) tools_.log.error("something of ours is left", {{"error", done.error().message}});
  if (ending_) return tools_.loop.stop();
  if (!done && removed_) removal_ = tools_.loop.after(options_.resync, [this] { remove(); });
}

void Agent::end() {
  const bool at_once = std::exchange(ending_, true);
  if (removal_.pending()) return remove();
  if (at_once || removing_) return tools_.loop.stop();
  if (!heard_ || options_.source.kind != SourceKind::kCrd) return tools_.loop.stop();
  end_ = tools_.loop.after(kLastWord, [this] { tools_.loop.stop(); });
}

void Agent::exempt_servers(std::vector<std::string> hosts) {
  server_hosts_ = std::move(hosts);
  look_up_servers();
}

void Agent::look_up_servers() {
  const auto found = std::make_shared<std::vector<Result<std::vector<IpAddress>>>>();  // shared as in save()
  tools_.resolver.run(
      [hosts = server_hosts_, found] {
        for (const std::string& host : hosts) found->push_back(addresses_of_host(host));
      },
      [this, found] { servers_found(*found); });
}

void Agent::servers_found(const std::vector<Result<std::vector<IpAddress>>>& found) {
  ServerAddresses servers = server_addresses(found, servers_);
  tools_.health.set(kServerExempt, servers.trouble);
  servers_timer_ = tools_.loop.after(servers.trouble.empty() ? kServersTrusted : kServersMissed,
                                     [this] { look_up_servers(); });
  if (servers.addresses == servers_) return;
  servers_ = std::move(servers.addresses);
  round();
  if (known_ && !is_stored()) save();
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
  return stored_ && known_ && is_same(stored_->gateway, *known_) && stored_->servers == servers_ &&
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
