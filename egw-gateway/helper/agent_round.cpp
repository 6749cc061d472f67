#include <algorithm>
#include <utility>

#include "common/base/secrecy.h"
#include "common/firewall/forward_gates.h"
#include "egw-gateway/helper/agent.h"
#include "egw-gateway/helper/concerns.h"
#include "egw-gateway/helper/kernel_routes.h"
#include "egw-gateway/helper/no_masquerade_file.h"
#include "egw-gateway/helper/node_settings.h"

// A round of the agent: from what is known to what the kernel has.
namespace holdfast::gateway {
namespace {

bool is_same_session(const LivenessTarget& a, const LivenessTarget& b) {
  return a.gateway == b.gateway && a.local == b.local && a.peer == b.peer;
}

/// Of candidates of which none could be chosen.
std::string why_none(const std::vector<Candidate>& candidates, const LinkNames& links) {
  if (candidates.empty()) return "the pool has no gateway";
  std::string out = "no gateway is alive";
  for (const Candidate& one : candidates) {
    out += "; " + one.name + " is " + std::string(to_string(one.state));
    if (!one.reachable) out += ", and no route leads to its pod by " + links.overlay + " or " + links.bridge;
  }
  return out;
}

std::string fault_of(const nl::Route& passed_over) {
  std::string out = "somebody's route to " + passed_over.dst.to_string();
  if (passed_over.gateway) out += " via " + passed_over.gateway->to_string();
  return out + " is passed over; take it away, or tell --exempt=" + passed_over.dst.to_string();
}

}  // namespace

Status Agent::put_all_right() {
  const bool settled = known_ || removed_;
  tools_.health.set(kPoolKnown, settled ? "" : "the pool's EdgeGateway was neither stored nor told");
  if (!settled) return {};
  HOLDFAST_TRY(facts_, read_facts(tools_.socket, options_.links));
  note_networks(facts_);
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
  const NodeRanges to_route = known_ ? node_ranges(*known_, routed) : NodeRanges{};
  Status done = put_routes(routes_wanted(to_route, ways, local, options_.links), facts_);
  closed_ = true;
  put_settings(!local.empty());
  tools_.health.set(kKeysGuarded, exposure_of(options_.bfd_keys));
  want_rules(facts_, to_route, local);
  show_ranges(routed);
  return done;
}

void Agent::show_ranges(const RoutedRanges& routed) {
  std::vector<std::string> faults = routed.faults;
  const std::vector<nl::Route> passed_over = routes_passed_over(routed.ranges, facts_);
  for (const nl::Route& route : passed_over) faults.push_back(fault_of(route));
  if (const std::string blocks = trouble_with_blocks(routed.ranges.size()); !blocks.empty())
    faults.push_back(blocks);
  std::string text;
  for (const std::string& fault : faults) text += (text.empty() ? "" : "; ") + fault;
  tools_.health.set(kRangesClear, text);
  tools_.metrics.passed_over.set(static_cast<double>(passed_over.size()));
  tools_.metrics.ranges.set(static_cast<double>(routed.ranges.size()));
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
  std::vector<Exemption> exempt = node_exemptions(*known_, options_.exempt, servers_, facts, options_.links);
  for (const Cidr& network : looked_ ? std::vector<Cidr>{} : networks_) {
    exempt.push_back({.range = network, .what = "a network that this node had", .yields = true});
  }
  return routed_ranges(*known_, exempt);
}

/// A node that has none of them for a while, as its cable is out, has them again after the next boot.
void Agent::note_networks(const NodeFacts& facts) {
  looked_ = true;
  std::vector<Cidr> networks;
  for (const Exemption& own : own_networks(facts, options_.links)) {
    const auto overlaps = [&](const Cidr& range) { return range.overlaps(own.range); };
    if (known_ && (std::ranges::any_of(known_->vpc_cidrs, overlaps) ||
                   std::ranges::any_of(known_->cloud_pod_cidrs, overlaps))) {
      networks.push_back(own.range);
    }
  }
  if (!networks.empty()) networks_ = std::move(networks);
}

NextHops Agent::local_ways(const NodeFacts& facts) const {
  return known_ ? gateway::local_ways(known_->gateways, facts, options_.links) : NextHops{};
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
    if (kept) continue;
    // its session is another one now, or none
    if (history_.state(before.gateway) == LivenessState::kUp)
      history_.told(before.gateway, Word::kDown, now());
    if (history_.state(before.gateway) == LivenessState::kUnknown) history_.forget(before.gateway);
  }
  if (known_) {
    for (const Gateway& one : known_->gateways) history_.watch(one.name, now());
  }
  const std::string trouble = trouble_with_keys();
  if (!trouble.empty()) targets.clear();  // nobody who can send a packet may tell us who is alive
  if (targets == targets_ && tools_.health.is_well(kGatewaysWatched)) return;
  targets_ = targets;
  const Status done = tools_.liveness.want(targets);
  tools_.health.set(kGatewaysWatched, done ? trouble : done.error().message);
  tools_.metrics.bfd_hindered.set(done ? 0 : 1);
}

std::string Agent::trouble_with_keys() const {
  if (!keys_trouble_.empty()) return keys_trouble_ + "; no gateway is believed";
  const bool missing = known_ && !known_->liveness.key_secret.empty() && options_.bfd_keys.empty();
  if (!missing) return "";
  return "the pool's keys are in the Secret " + known_->liveness.key_secret +
         "; mount it and tell --bfd-keys";
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
  const bool none = known_ && choice_.active.empty();
  tools_.health.set(kGatewayAlive, none ? why_none(candidates, options_.links) : "");
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

std::vector<firewall::RuleSet> Agent::rule_sets(const NodeFacts& facts, const NodeRanges& ranges,
                                                const NextHops& local) const {
  NodeRules rules;
  rules.ranges = ranges.own;
  rules.transit = ranges.other;
  rules.ways = {options_.links.bridge, options_.links.overlay, options_.links.overlay_v6};
  for (const auto& [family, way] : local) rules.gateway.push_back(way.gateway);
  if (known_) rules.pod_cidrs = known_->pod_cidrs;
  for (const nl::Address& address : facts.addresses) {
    const bool among_pods = std::ranges::any_of(facts.links, [&](const auto& link) {
      return link.second == address.ifindex && address.scope == nl::Scope::kUniverse;
    });
    if (!among_pods) continue;
    rules.own.push_back(address.cidr.network());
    rules.node.push_back(address.cidr.address());
  }
  return {node_rule_set(IpFamily::kV4, rules), node_rule_set(IpFamily::kV6, rules)};
}

void Agent::want_rules(const NodeFacts& facts, const NodeRanges& ranges, const NextHops& local) {
  std::vector<firewall::RuleSet> sets = rule_sets(facts, ranges, local);
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
  struct Looks {
    firewall::RuleKeeper::Look rules;
    Result<std::vector<std::string>> gates;
  };
  const auto looks = std::make_shared<Looks>();  // shared by the job and what comes after it
  const auto look = [&firewall = tools_.firewall, sets = rules_, links = links_there(), looks] {
    looks->rules = firewall.look(sets);
    looks->gates = firewall::forward_gates(links);
  };
  tools_.worker.run(look, [this, looks] {
    show_gates(looks->gates);
    rules_put(looks->rules);
  });
}

std::vector<std::string> Agent::links_there() const {
  std::vector<std::string> out;
  for (const auto& [name, index] : facts_.links) out.push_back(name);
  return out;
}

/// They may let through what we do not see that they do: no reason not to be ready.
void Agent::show_gates(const Result<std::vector<std::string>>& gates) {
  if (!gates) return tools_.health.set(kForwardingFree, gates.error().message);
  std::string text;
  for (const std::string& gate : removed_ ? std::vector<std::string>{} : *gates)
    text += (text.empty() ? "" : "; ") + gate;
  tools_.health.set(kForwardingFree, text);
}

void Agent::rules_put(const firewall::RuleKeeper::Look& look) {
  putting_rules_ = false;
  tools_.health.set(kRulesInPlace, look.done ? "" : look.done.error().message);
  tools_.metrics.rules_mended.add(static_cast<double>(look.mended));
  tools_.metrics.refused.set(static_cast<double>(look.refused));
  tools_.metrics.ready.set(tools_.health.ready() ? 1 : 0);
  rules_timer_ = tools_.loop.after(options_.resync, [this] { put_rules(); });
  if (std::exchange(rules_again_, false)) put_rules();
}

}  // namespace holdfast::gateway
