#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "common/base/secrecy.h"
#include "common/wireguard/secret_key_file.h"
#include "egw-gateway/bfd/key_file.h"
#include "egw-gateway/core/core_agent.h"
#include "egw-gateway/core/core_concerns.h"
#include "egw-gateway/core/kernel_settings.h"

// A round of the agent: from what is known to what the kernel has.
namespace holdfast::gateway {
namespace {

std::string joined(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : "; ") + text;
  return out;
}

bool is_same_session(const CoreLiveness::Access& a, const CoreLiveness::Access& b) {
  return a.target.name == b.target.name && CoreLiveness::path_to(a) == CoreLiveness::path_to(b);
}

std::string trouble_of(const Status& done) { return done ? "" : done.error().message; }

}  // namespace

Status CoreAgent::put_all_right() {
  read_key();
  std::string exposed = exposure_of(options_.private_key);
  if (exposed.empty()) exposed = exposure_of(options_.bfd_keys);
  tools_.health.set(core_concern::kKeysGuarded, exposed);
  tools_.health.set(core_concern::kPoolKnown,
                    known_ ? "" : "the pool's EdgeGateway was neither stored nor told");
  HOLDFAST_TRY(edge_, read_edge_link(tools_.socket, options_.link));
  const CoreSelf self{.name = options_.gateway,
                      .private_key = key_.value_or(wireguard::SecretKey(wireguard::KeyBytes{})),
                      .edge_link = options_.link,
                      .edge_mtu = edge_.mtu,
                      .tunnel_mtu = options_.mtu,
                      .edge_networks = edge_.networks()};
  plan_ = plan_core(known_.value_or(EdgeGateway{}), self);
  if (known_) tools_.health.set(core_concern::kPoolClear, joined(plan_.faults));
  put_settings();
  want_nodes();
  want_works();
  want_access();
  look_at_choice();
  return put_routes();
}

void CoreAgent::read_key() {
  Result<wireguard::SecretKey> key = wireguard::read_secret_key(tools_.files, options_.private_key);
  // the one that is in use does as long as it is asked for
  tools_.health.set(core_concern::kKeyUsable, key || key_ ? "" : key.error().message);
  if (key) key_read(*key);
}

void CoreAgent::key_read(const wireguard::SecretKey& key) {
  const auto public_key = wireguard::public_key_of(key);
  const bool known = !known_ || (public_key && is_known_key(*known_, options_.gateway, *public_key));
  tools_.health.set(core_concern::kKeyKnown,
                    known
                        ? ""
                        : "the EdgeGateway does not tell the access points of the key in " +
                              options_.private_key.native() + "; let the controller publish its public half");
  if (!key_) {
    key_ = key;
  } else if (known && key != *key_ && !next_key_ && !leaving_) {
    next_key_ = key;
    leave([this] { change_key(); });
  }
}

/// Whoever sends to us has gone: now no packet is lost between the old sessions and the new ones.
void CoreAgent::change_key() {
  tools_.log.info("the private key is another one from now on");
  key_ = std::exchange(next_key_, std::nullopt);
  applying_key_ = true;
  round();
}

void CoreAgent::key_changed() {
  applying_key_ = false;
  leaving_ = false;
  // who was up has to be heard anew, or is missed
  for (const AccessTarget& target : plan_.access) history_.forget(target.name);
  tools_.liveness.leave(false);
  round_after({});
}

void CoreAgent::read_liveness_keys() {
  if (options_.bfd_keys.empty()) return;
  Result<bfd::Keys> keys = bfd::read_key_file(tools_.files, options_.bfd_keys);
  tools_.health.set(core_concern::kLivenessKeysRead,
                    keys ? ""
                         : keys.error().message + (liveness_keys_ ? "; those that were read last count on"
                                                                  : "; no node is believed"));
  if (!keys) return;
  liveness_keys_ = *std::move(keys);
  tools_.metrics.show(*liveness_keys_);
}

/// Why no node may be believed; empty: it may.
std::string CoreAgent::trouble_with_keys() const {
  if (!options_.bfd_keys.empty()) return liveness_keys_ ? "" : "no key could be read; no node is believed";
  if (!plan_.signs) return "";
  return "the pool's liveness is signed, and --bfd-keys tells no keys; no node is believed";
}

/// Somebody may have set them otherwise since the start. A pod's /proc/sys is read-only as a rule: then it is
/// told.
void CoreAgent::put_settings() {
  std::vector<std::string> links{options_.link};
  for (const auto& [name, ifindex] : links_) links.push_back(name);
  const Result<std::string> before = put_kernel_right(links);
  tools_.health.set(core_concern::kSettingsRight, before ? "" : before.error().message);
  if (before && !before->empty()) tools_.log.warning("settings put right", {{"what", *before}});
}

/// Nodes do better by the other gateway while this one would drop what they send.
bool CoreAgent::forwards() const {
  if (dropped_) return false;
  for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
    const bool routed = std::ranges::find(plan_.ranges, family, &Cidr::family) != plan_.ranges.end();
    if (routed && !check_forwarding(family)) return false;
  }
  return true;
}

void CoreAgent::want_nodes() {
  read_liveness_keys();
  const std::string trouble = trouble_with_keys();
  std::optional<CoreLiveness::NodeRules> rules;
  if (trouble.empty()) {
    rules = CoreLiveness::NodeRules{
        .own = plan_.own,
        .is_node = [reachability = plan_.reachability](
                       const IpAddress& address) { return is_nodes_own(reachability, address); },
        .timers = plan_.node_timers,
        .keys = liveness_keys_};
  }
  const Status done = tools_.liveness.want_nodes(std::move(rules));
  tools_.health.set(core_concern::kNodesHeard, done ? trouble : done.error().message);
  tools_.metrics.show_hindered("nodes", !done);
}

/// As they are planned, each from a port that its access point hears, as far as is known.
std::vector<Tunnel> CoreAgent::tunnels() {
  std::vector<Tunnel> out = plan_.tunnels;
  std::set<std::string> links;
  for (Tunnel& tunnel : out) {
    const auto target = std::ranges::find(plan_.access, tunnel.link, &AccessTarget::link);
    // while all are asked to leave nobody is to be heard
    const bool heard =
        leaving_ || target == plan_.access.end() || history_.state(target->name) == LivenessState::kUp;
    tunnel.wireguard.listen_port = ports_.see(tunnel.link, heard, now());
    links.insert(tunnel.link);
  }
  ports_.keep(links);
  return out;
}

/// While nothing is known of the pool, what an earlier run left stays: it may carry traffic.
void CoreAgent::want_works() {
  if (!known_ && link_before_ != 0) return;
  if (working_) {
    work_again_ = true;
    return;
  }
  working_ = true;
  const auto look = std::make_shared<CoreWorks::Look>();  // shared by the job and what comes after it
  tools_.worker.run(
      [&works = tools_.works, wanted = CoreWorks::Wanted{plan_.reachability, tunnels(), key_.has_value()},
       look] { *look = works.look(wanted); },
      [this, look] { works_done(*look); });
}

void CoreAgent::works_done(const CoreWorks::Look& look) {
  working_ = false;
  tools_.health.set(core_concern::kRulesInPlace,
                    trouble_of(look.rules.done ? look.forwarded : look.rules.done));
  tools_.health.set(core_concern::kTunnelsInPlace, trouble_of(look.tunnels.done));
  show_works(look);
  const bool dropped = !look.forwarded && look.forwarded.error().code == Code::kFailedPrecondition;
  const bool another_word = std::exchange(dropped_, dropped) != dropped;
  std::map<std::string, int> links;
  for (const TunnelView& view : look.tunnels.tunnels) {
    if (view.ifindex != 0) links[view.link] = view.ifindex;
  }
  const bool others = links != links_;
  links_ = std::move(links);
  if (!adopted_) adopt();
  const bool again = std::exchange(work_again_, false);
  if (applying_key_ && !again) return key_changed();
  if (again) want_works();
  if (others || another_word) round_after({});
}

void CoreAgent::show_works(const CoreWorks::Look& look) {
  if (look.rules.mended != 0) {
    tools_.log.warning("rules put right that others had changed", {{"families", look.rules.mended}});
    tools_.metrics.rules_mended.add(static_cast<double>(look.rules.mended));
  }
  tools_.metrics.show(look.rules.counts);
  for (const std::string& news : look.tunnels.news) tools_.log.info("tunnel", {{"what", news}});
  if (!look.tunnels.news.empty()) tools_.metrics.tunnels_mended.add();
  for (const TunnelView& view : look.tunnels.tunnels) {
    const auto target = std::ranges::find(plan_.access, view.link, &AccessTarget::link);
    if (target == plan_.access.end()) continue;
    const bool up = history_.state(target->name) == LivenessState::kUp;
    tools_.metrics.show(*target, view, up, tools_.loop.clock().now());
  }
}

void CoreAgent::want_access() {
  std::vector<CoreLiveness::Access> wanted;
  for (const AccessTarget& target : plan_.access) {
    const auto link = links_.find(target.link);
    if (link == links_.end()) continue;
    wanted.push_back({target, link->second});
  }
  forget_sessions_but(wanted);
  for (const CoreLiveness::Access& access : wanted) history_.watch(access.target.name, now());
  const std::string trouble = trouble_of(tools_.liveness.want_access(wanted));
  tools_.health.set(core_concern::kAccessPointsWatched, trouble);
  tools_.metrics.show_hindered("access points", !trouble.empty());
  watched_ = std::move(wanted);
}

/// An access point whose session is another one from now on, or none, has to be heard anew: the new session
/// begins down, and would tell of nothing before it is up.
void CoreAgent::forget_sessions_but(const std::vector<CoreLiveness::Access>& wanted) {
  for (const CoreLiveness::Access& before : watched_) {
    const bool kept = std::ranges::any_of(
        wanted, [&](const CoreLiveness::Access& access) { return is_same_session(access, before); });
    if (kept) continue;
    const std::string& name = before.target.name;
    if (history_.state(name) == LivenessState::kUp) history_.told(name, Word::kDown, now());
    if (history_.state(name) == LivenessState::kUnknown) history_.forget(name);
  }
}

void CoreAgent::look_at_choice() {
  if (leaving_ || !adopted_) return;
  std::vector<Candidate> candidates;
  for (const AccessTarget& target : plan_.access) {
    Candidate candidate{.name = target.name, .priority = target.priority};
    candidate.reachable = links_.contains(target.link);
    history_.describe(candidate, now());
    candidates.push_back(std::move(candidate));
  }
  const Choice before = choice_;
  choice_ = choose(candidates, before, now());
  show_choice(before);
  const bool open = !choice_.active.empty() && history_.state(choice_.active) == LivenessState::kUp;
  tools_.health.set(core_concern::kCloudReachable, open ? "" : "no access point answers through its tunnel");
  tools_.liveness.open(open && forwards());
}

void CoreAgent::show_choice(const Choice& before) {
  if (choice_.active == before.active) return;
  tools_.log.info(
      "way to the cloud",
      {{"access_point", shown(choice_.active)}, {"before", shown(before.active)}, {"why", choice_.why}});
  if (choice_.active.empty()) {
    tools_.metrics.outages.add();
  } else if (!before.last.empty() && before.last != choice_.active) {
    tools_.metrics.switches.add();
  }
}

/// What an earlier run had chosen counts on until its access point is heard or missed.
void CoreAgent::adopt() {
  adopted_ = true;
  for (const AccessTarget& target : plan_.access) {
    const auto link = links_.find(target.link);
    if (link == links_.end() || link->second != link_before_) continue;
    choice_.active = choice_.last = target.name;
    tools_.log.info("way to the cloud as before", {{"access_point", target.name}});
  }
}

int CoreAgent::active_link() const {
  if (!adopted_) return link_before_;
  const auto target = std::ranges::find(plan_.access, choice_.active, &AccessTarget::name);
  if (target == plan_.access.end()) return 0;
  const auto link = links_.find(target->link);
  return link == links_.end() ? 0 : link->second;
}

Status CoreAgent::put_routes() {
  if (!known_) return {};
  std::vector<nl::Route> wanted = cloud_routes(plan_.ranges, active_link());
  for (nl::Route& route : host_routes(edge_)) wanted.push_back(std::move(route));
  HOLDFAST_TRY(const std::size_t changes, put_cloud_routes(tools_.socket, wanted));
  if (changes != 0 && wanted == routes_) {
    tools_.log.warning("routes put right that others had changed", {{"changes", changes}});
    tools_.metrics.routes_mended.add();
  }
  routes_ = std::move(wanted);
  return {};
}

void CoreAgent::show() {
  tools_.metrics.nodes.set(static_cast<double>(tools_.liveness.nodes()));
  tools_.metrics.nodes_up.set(static_cast<double>(tools_.liveness.nodes_up()));
  tools_.metrics.ready.set(tools_.health.ready() ? 1 : 0);
}

}  // namespace holdfast::gateway
