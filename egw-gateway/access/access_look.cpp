#include <algorithm>
#include <utility>

#include "common/base/secrecy.h"
#include "egw-gateway/access/access_agent.h"
#include "egw-gateway/access/access_rules.h"
#include "egw-gateway/access/backstop.h"
#include "egw-gateway/access/left_behind.h"
#include "egw-gateway/access/pod_table.h"
#include "egw-gateway/core/kernel_settings.h"

// A look at the kernel: from the plan to tunnels, rules and closed ranges. access_choice.cpp goes on from
// there.
namespace holdfast::gateway {
namespace {

using namespace std::chrono_literals;

constexpr auto kRetry = 500ms;
constexpr auto kKeysRead = 250ms;         // while a gateway changes over to another key
constexpr std::size_t kKeysAtOnce = 100;  // gateways whose keys are read in that time

}  // namespace

void AccessAgent::look_at_own() {
  Result<std::vector<OwnRange>> own = own_ranges(tools_.socket);
  if (!own) return tools_.log.warning("networks of this machine", {{"error", own.error().message}});
  own_ = *std::move(own);
}

/// Where tunnels' packets go besides: pods there would take them along. Who has a gateway's key says where
/// that is, as he likes, so it is no reason to refuse a pool.
std::vector<OwnRange> AccessAgent::kept_from_pods() const {
  std::vector<OwnRange> out = own_;
  for (const auto& [way, view] : views_) {
    for (const wireguard::PeerState& each : view.peers) {
      if (!each.peer.endpoint) continue;
      out.push_back({host_range(each.peer.endpoint->address), "where gateway " + way.to_string() + " is"});
    }
  }
  return out;
}

/// Before the first look: what stands may be of pools that nobody has told of yet, and carries traffic.
bool AccessAgent::waits_for_list() {
  if (looked_ || looking_ || listed_ || stored_whole_) return false;
  const Result<bool> left = leaves_behind(tools_.socket, plan_);
  if (left && !*left) return false;
  tools_.health.set(kTunnelsInPlace,
                    left ? "tunnels or ranges stand of pools that nobody has told of, and the store is lost: "
                           "all stays as it is until the source has told of all EdgeGateways"
                         : left.error().message);
  return true;
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
  const Result<std::vector<std::string>> others = keep_pod_table(tools_.socket, ranges, kept_from_pods());
  std::string told = others ? "" : others.error().message;
  for (const std::string& each : others.value_or(std::vector<std::string>{})) {
    told += (told.empty() ? "" : "; ") + each;
  }
  tools_.health.set(kRangesClear, told);
  if (others) tools_.metrics.passed_over.set(static_cast<double>(others->size()));
}

/// Somebody may have set them otherwise since. Where this program may not, a privileged container or the
/// host's administrator is to.
void AccessAgent::put_settings() {
  std::vector<std::string> links;
  for (const auto& [way, view] : views_) {
    if (view.ifindex != 0) links.push_back(view.link);
  }
  const Result<std::string> before = put_kernel_right(links);
  tools_.health.set(kSettingsRight, before ? "" : before.error().message);
  if (before && !before->empty()) tools_.log.warning("settings put right", {{"what", *before}});
}

/// As they are wanted now, by what the last look has found of them.
std::vector<Tunnel> AccessAgent::tunnels() {
  std::vector<Tunnel> out;
  std::set<WayName> ways;
  for (const ServedPool& pool : plan_.pools) {
    for (const GatewayWay& way : pool.ways) {
      const auto known = keys_.find(way.name);
      const auto before = known == keys_.end() ? std::nullopt : std::optional(known->second);
      const auto view = views_.find(way.name);
      const std::vector<wireguard::PeerState> peers =
          view == views_.end() ? std::vector<wireguard::PeerState>{} : view->second.peers;
      const wireguard::PublicKey key = key_in_use(way, peers, before);
      keys_[way.name] = key;
      out.push_back(tunnel_of(pool, way, private_key_, key, options_.mtu));
      out.back().forgotten = silent_.see(way.name, peers, is_up(way.name), now());
      ways.insert(way.name);
    }
  }
  silent_.keep(ways);
  return out;
}

void AccessAgent::look() {
  look_timer_.end();
  if (waits_for_list()) return look_after(options_.resync);
  close_ranges();
  put_settings();
  tools_.health.set(kKeysGuarded, exposure_of(options_.private_key));
  if (looking_) {
    look_again_ = true;
    return;
  }
  looking_ = true;
  std::vector<firewall::RuleSet> rules{access_rules(plan_, options_.routers, IpFamily::kV4),
                                       access_rules(plan_, options_.routers, IpFamily::kV6)};
  const auto out = std::make_shared<Look>();  // shared by the job and what comes after it
  tools_.worker.run(
      [&keeper = tools_.tunnels, &firewall = tools_.firewall, tunnels = tunnels(), rules = std::move(rules),
       out] {
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
  look_after(again ? 0ns : failed ? kRetry : resync);
  await_keys();
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

/// While gateways change over to other keys, which may take as long as a site is cut off: with which key
/// each of them speaks, and nothing else of the machine. The more there are, the less often.
void AccessAgent::await_keys() {
  std::vector<std::string> awaited;
  for (const GatewayWay* way : plan_.ways()) {
    if (way->keys.size() > 1) awaited.push_back(way->link);
  }
  keys_timer_.end();
  if (awaited.empty()) return;
  const auto delay = kKeysRead * (1 + awaited.size() / kKeysAtOnce);
  keys_timer_ = tools_.loop.after(delay, [this, awaited = std::move(awaited)] {
    const auto out = std::make_shared<TunnelKeeper::Look>();  // shared by the job and what comes after it
    tools_.worker.run([&keeper = tools_.tunnels, awaited, out] { *out = keeper.see(awaited); },
                      [this, out] { keys_read(*out); });
  });
}

void AccessAgent::keys_read(const TunnelKeeper::Look& look) {
  for (const GatewayWay* way : plan_.ways()) {
    const auto found = std::ranges::find(look.tunnels, way->link, &TunnelView::link);
    const auto view = views_.find(way->name);
    if (found == look.tunnels.end() || found->peers.empty() || view == views_.end()) continue;
    view->second.peers = found->peers;
  }
  if (learn_keys()) look_after({});
  await_keys();
}

int AccessAgent::ifindex_of(const WayName& way) const {
  const auto found = views_.find(way);
  return found == views_.end() ? 0 : found->second.ifindex;
}

}  // namespace holdfast::gateway
