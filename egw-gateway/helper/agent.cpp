#include "egw-gateway/helper/agent.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "egw-gateway/helper/kernel_routes.h"
#include "egw-gateway/helper/no_masquerade_file.h"
#include "egw-gateway/helper/node_settings.h"

namespace holdfast::gateway {
namespace {

using namespace std::chrono_literals;

// Events of the kernel come in floods: they are taken together, and leave the loop its time.
constexpr auto kGather = 1ms;
constexpr auto kRoundDistance = 30ms;
// Time alone may change the choice.
constexpr auto kUndecided = 250ms;
constexpr auto kRetry = 500ms;

/// Of two objects whether all that counts here is the same.
bool is_same(EdgeGateway a, EdgeGateway b) {
  for (EdgeGateway* one : {&a, &b}) {
    one->resource_version.clear();
    one->generation = 0;
  }
  return a == b;
}

bool is_same_session(const LivenessTarget& a, const LivenessTarget& b) {
  return a.gateway == b.gateway && a.local == b.local && a.peer == b.peer;
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
      refused(
          metrics.gauge("egw_helper_refused_packets",
                        "First packets of connections from the cloud to this node, dropped since the rules "
                        "were put.")),
      ranges(metrics.gauge("egw_helper_ranges", "Blocks of addresses that are routed to a gateway.")),
      ready(metrics.gauge("egw_helper_ready", "Whether the node is ready.")) {}

Agent::Agent(const Tools& tools, HelperOptions options) : tools_(tools), options_(std::move(options)) {
  tools_.liveness.on_change(
      [this](const std::string& name, bool up, const std::string& why) { gateway_told(name, up, why); });
}

Status Agent::read_store() {
  HOLDFAST_TRY(HelperStore::Loaded loaded, tools_.store.load());
  for (const std::string& note : loaded.notes) tools_.log.warning("store", {{"note", note}});
  known_ = std::move(loaded.gateway);
  stored_ = known_;
  tools_.log.info("store read", {{"path", tools_.store.path().native()}, {"known", known_.has_value()}});
  return {};
}

Status Agent::close() {
  HOLDFAST_CHECK(read_store());
  if (!known_) return {};
  // the links may not be there, and nobody was heard
  HOLDFAST_TRY(facts_, read_facts(tools_.socket, options_.links));
  choice_.active = gateway_in_use(known_->gateways, facts_, options_.links);
  choice_.last = choice_.active;
  const Gateway* in_use = gateway(choice_.active);
  const NextHops active = in_use == nullptr ? NextHops{} : ways_to(*in_use, facts_, options_.links);
  wanted_ = routes_wanted(ranges(facts_).ranges, active, local_ways(facts_), options_.links);
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
  first_word_ = tools_.loop.after(kFirstWord, [this] {
    if (known_) {
      for (const Gateway& one : known_->gateways) history_.presume_dead(one.name);
    }
    round();
  });
  round();
  source_ = &source;
  return source.start(*this);
}

Status Agent::watch_kernel() {
  HOLDFAST_TRY(nl::Monitor monitor, nl::Monitor::open({.links = true, .addresses = true, .routes = true}));
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

void Agent::look_again() {
  round_after({});
  if (source_ != nullptr) source_->look_again();
}

void Agent::told(EdgeGateway gateway) {
  removal_.end();
  removed_ = false;
  if (!known_ || !is_same(*known_, gateway)) {
    tools_.log.info(
        "pool told",
        {{"pool", gateway.pool}, {"gateways", gateway.gateways.size()}, {"generation", gateway.generation}});
    known_ = std::move(gateway);
    round();
  }
  if (!stored_ || !is_same(*stored_, *known_)) save();
}

void Agent::gone() {
  if (removed_ || removal_.pending()) return;
  tools_.log.warning("the pool's EdgeGateway is gone", {{"removal_in_s", options_.removal_delay.count()}});
  removal_ = tools_.loop.after(options_.removal_delay, [this] { remove(); });
}

void Agent::remove() {
  tools_.log.info("the pool is not enhanced: routes and rules are taken away");
  removed_ = true;
  known_.reset();
  choice_ = {};
  history_ = {};
  round();
  tools_.worker.run([&store = tools_.store] { static_cast<void>(store.forget()); }, [] {});
  stored_.reset();
}

void Agent::health(const std::string& trouble) { tools_.health.set(kSourceHeard, trouble); }

void Agent::gateway_told(const std::string& name, bool up, const std::string& why) {
  tools_.log.info(up ? "gateway is up" : "gateway is down", {{"gateway", name}, {"why", why}});
  history_.told(name, up, now());
  round();
}

void Agent::save() {
  if (saving_) return;
  saving_ = true;
  const auto done = std::make_shared<Status>();  // shared by the job and what comes after it
  stored_ = known_;
  tools_.worker.run([&store = tools_.store, gateway = *known_, done] { *done = store.save(gateway); },
                    [this, done] { saved(*done); });
}

void Agent::saved(const Status& done) {
  saving_ = false;
  tools_.health.set(kStateStored, done ? "" : done.error().message);
  if (!done) stored_.reset();  // tried again with a round
  if (done && known_ && (!stored_ || !is_same(*stored_, *known_))) save();
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
  if (known_ && !stored_) save();
  const std::chrono::nanoseconds resync = options_.resync;
  round_after(!done ? kRetry : choice_.undecided ? kUndecided : resync);
}

Status Agent::put_all_right() {
  const bool settled = known_ || removed_;
  tools_.health.set(kPoolKnown, settled ? "" : "the pool's EdgeGateway was neither stored nor told");
  if (!settled) return {};
  HOLDFAST_TRY(facts_, read_facts(tools_.socket, options_.links));
  const RoutedRanges routed = ranges(facts_);
  if (!closed_ && known_) {
    choice_.active = gateway_in_use(known_->gateways, facts_, options_.links);
    choice_.last = choice_.active;
  }
  put_file(routed.ranges);
  watch_gateways(facts_);
  look_at_choice(facts_);
  const NextHops local = local_ways(facts_);
  const Gateway* active = gateway(choice_.active);
  const NextHops ways = active == nullptr ? NextHops{} : ways_to(*active, facts_, options_.links);
  Status done = put_routes(routes_wanted(routed.ranges, ways, local, options_.links), facts_);
  closed_ = true;
  put_settings(!local.empty());
  want_rules(facts_, routed.ranges, !local.empty());
  std::string faults;
  for (const std::string& fault : routed.faults) faults += (faults.empty() ? "" : "; ") + fault;
  tools_.health.set(kRangesClear, faults);
  tools_.metrics.ranges.set(static_cast<double>(routed.ranges.size()));
  return done;
}

Status Agent::put_routes(const RoutesWanted& wanted, const NodeFacts& facts) {
  const RouteChanges changes = plan_routes(wanted, facts);
  if (changes.empty()) {
    wanted_ = wanted;
    return {};
  }
  if (wanted == wanted_) {
    tools_.metrics.routes_mended.add();
    tools_.log.warning("routes or rules were not as they had been put",
                       {{"missing", changes.puts.size() + changes.rule_puts.size()},
                        {"too_many", changes.drops.size() + changes.rule_drops.size()}});
  }
  wanted_ = wanted;
  return apply_routes(tools_.socket, changes);
}

RoutedRanges Agent::ranges(const NodeFacts& facts) const {
  if (!known_) return {};
  std::vector<Exemption> exempt = exemptions(*known_);
  for (const Cidr& range : options_.exempt) exempt.push_back({range, "exempt on this node", true});
  const std::vector<Exemption> own = own_networks(facts, options_.links);
  exempt.insert(exempt.end(), own.begin(), own.end());
  return routed_ranges(*known_, exempt);
}

NextHops Agent::local_ways(const NodeFacts& facts) const {
  if (!known_) return {};
  for (const Gateway& one : known_->gateways) {
    NextHops ways = ways_to(one, facts, options_.links);
    std::erase_if(ways, [](const auto& way) { return !way.second.local; });
    if (!ways.empty()) return ways;
  }
  return {};
}

const Gateway* Agent::gateway(const std::string& name) const {
  if (!known_) return nullptr;
  const auto found = std::ranges::find(known_->gateways, name, &Gateway::name);
  return found == known_->gateways.end() ? nullptr : &*found;
}

void Agent::watch_gateways(const NodeFacts& facts) {
  std::vector<LivenessTarget> targets;
  for (const Gateway& one : known_ ? known_->gateways : std::vector<Gateway>{}) {
    const IpAddress peer = one.pod_addresses.front();
    const auto way = way_to(peer, facts, options_.links);
    const auto local = way ? facts.address_of(way->ifindex, peer.family()) : std::nullopt;
    if (local)
      targets.push_back({one.name, *local, peer, known_->liveness.interval, known_->liveness.multiplier});
  }
  for (const LivenessTarget& before : targets_) {
    const bool kept = std::ranges::any_of(
        targets, [&](const LivenessTarget& target) { return is_same_session(target, before); });
    // its session is another one now, or none
    if (!kept && history_.state(before.gateway) == LivenessState::kUp)
      history_.told(before.gateway, false, now());
  }
  const bool keys_missing = known_ && !known_->liveness.key_secret.empty() && options_.bfd_keys.empty();
  if (keys_missing) targets.clear();  // nobody who can send a packet may tell us who is alive
  if (targets == targets_ && tools_.health.is_well(kGatewaysWatched)) return;
  targets_ = targets;
  const Status done = tools_.liveness.want(targets);
  const std::string trouble = keys_missing
                                  ? "the pool's keys are in the Secret " + known_->liveness.key_secret +
                                        "; mount it and tell --bfd-keys"
                                  : "";
  tools_.health.set(kGatewaysWatched, done ? trouble : done.error().message);
}

void Agent::look_at_choice(const NodeFacts& facts) {
  std::vector<Candidate> candidates;
  for (const Gateway& one : known_ ? known_->gateways : std::vector<Gateway>{}) {
    Candidate candidate{one.name, one.priority};
    candidate.reachable = way_to(one.pod_addresses.front(), facts, options_.links).has_value();
    history_.describe(candidate, now());
    tools_.metrics.all.gauge("egw_helper_gateway_up", "Whether a gateway is alive.", {{"gateway", one.name}})
        .set(candidate.state == LivenessState::kUp ? 1 : 0);
    candidates.push_back(std::move(candidate));
  }
  const Choice before = choice_;
  choice_ = choose(candidates, before, now());
  show_choice(before);
  std::string trouble;
  if (known_ && choice_.active.empty()) {
    trouble = known_->gateways.empty() ? "the pool has no gateway" : "no gateway is alive";
    for (const Candidate& one : candidates) {
      trouble += "; " + one.name + " is " + std::string(to_string(one.state));
      if (!one.reachable)
        trouble +=
            ", and no route leads to its pod by " + options_.links.overlay + " or " + options_.links.bridge;
    }
  }
  tools_.health.set(kGatewayAlive, trouble);
}

void Agent::show_choice(const Choice& before) {
  for (const Gateway& one : known_ ? known_->gateways : std::vector<Gateway>{}) {
    tools_.metrics.all
        .gauge("egw_helper_active", "Whether packets are routed to a gateway.", {{"gateway", one.name}})
        .set(one.name == choice_.active ? 1 : 0);
  }
  if (choice_.active == before.active) return;
  if (choice_.active.empty()) tools_.metrics.outages.add();
  if (!before.last.empty() && choice_.last != before.last) tools_.metrics.switches.add();
  tools_.log.warning("gateway changed",
                     {{"from", shown(before.active)}, {"to", shown(choice_.active)}, {"why", choice_.why}});
}

void Agent::put_file(const std::vector<Cidr>& ranges) {
  const Result<bool> changed = put_no_masquerade(tools_.files, options_.no_masq_dir, ranges);
  if (!changed) {
    tools_.log.warning("flanneld is not told what to masquerade", {{"error", changed.error().message}});
  } else if (*changed) {
    tools_.log.info("flanneld told what not to masquerade", {{"ranges", ranges.size()}});
  }
}

void Agent::put_settings(bool has_gateway) {
  if (removed_) return tools_.health.set(kSettingsRight, "");
  const Result<std::vector<std::string>> changed =
      gateway::put_settings(node_settings(options_.links.bridge, options_.links.overlay, has_gateway));
  tools_.health.set(kSettingsRight, changed ? "" : changed.error().message);
  for (const std::string& one : changed.value_or(std::vector<std::string>{})) {
    tools_.log.info("setting put right", {{"setting", one}});
  }
}

void Agent::want_rules(const NodeFacts& facts, const std::vector<Cidr>& ranges, bool has_gateway) {
  NodeRules rules;
  rules.ranges = ranges;
  rules.has_gateway = has_gateway;
  if (known_) rules.pod_cidrs = known_->pod_cidrs;
  for (const nl::Address& address : facts.addresses) {
    const bool among_pods = std::ranges::any_of(facts.links, [&](const auto& link) {
      return link.second == address.ifindex && address.scope == nl::Scope::kUniverse;
    });
    if (among_pods) rules.own.push_back(address.cidr.address());
  }
  std::vector<firewall::RuleSet> sets{node_rule_set(IpFamily::kV4, rules),
                                      node_rule_set(IpFamily::kV6, rules)};
  if (sets == rules_) return;
  rules_ = std::move(sets);
  put_rules();
}

void Agent::put_rules() {
  if (putting_rules_) {
    rules_again_ = true;
    return;
  }
  putting_rules_ = true;
  const auto look = std::make_shared<NodeFirewall::Look>();  // shared by the job and what comes after it
  tools_.worker.run([&firewall = tools_.firewall, sets = rules_, look] { *look = firewall.look(sets); },
                    [this, look] { rules_put(*look); });
}

void Agent::rules_put(const NodeFirewall::Look& look) {
  putting_rules_ = false;
  tools_.health.set(kRulesInPlace, look.done ? "" : look.done.error().message);
  tools_.metrics.rules_mended.add(static_cast<double>(look.mended));
  tools_.metrics.refused.set(static_cast<double>(look.refused));
  tools_.metrics.ready.set(tools_.health.ready() ? 1 : 0);
  rules_timer_ = tools_.loop.after(options_.resync, [this] { put_rules(); });
  if (std::exchange(rules_again_, false)) put_rules();
}

}  // namespace holdfast::gateway
