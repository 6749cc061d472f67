#include "cni-flannel/daemon/agent.h"

#include <unistd.h>

#include <algorithm>
#include <functional>
#include <utility>
#include <variant>

#include "cni-flannel/daemon/own_lease.h"
#include "cni-flannel/daemon/rules_wanted.h"

namespace holdfast::flannel {
namespace {

using namespace std::chrono_literals;

// Events of the kernel come in floods: they are taken together, and leave the loop its time.
constexpr auto kGather = 1ms;
constexpr auto kRoundDistance = 30ms;
// Pods come with addresses and routes of their own, which are no news to us.
constexpr auto kConflictDelay = 1s;
// Not urgent: the first second is for what is.
constexpr auto kWaysDelay = 1s;
constexpr RoundWaits kRoundWaits{.retry = 100ms, .contest = 1s};

AddressPlan cluster_plan(const Options& options, const NetConf& conf) {
  AddressPlan out = address_plan(conf, options.service_cidrs, options.api_host);
  out.node = options.node_name;
  return out;
}

std::uint64_t seed_of(const std::string& node) {
  return std::hash<std::string>()(node) ^ static_cast<std::uint64_t>(::getpid());
}

}  // namespace

Agent::Agent(const Tools& tools, Options options, NetConf conf)
    : tools_(tools),
      options_(std::move(options)),
      conf_(std::move(conf)),
      overlay_({tools_.socket, tools_.loop.clock(), tools_.log, tools_.conditions, tools_.metrics}, conf_,
               options_.underlay, options_.ip_blackhole_route),
      rules_(tools_.loop, tools_.worker, tools_.executor, options_.iptables_resync,
             [this](const RulesKeeper::Outcome& outcome) { rules_told(outcome); }),
      subnet_env_({tools_.loop, tools_.files, tools_.conditions}, conf_, options_.subnet_file,
                  options_.ip_masq),
      state_(
          tools_.loop, tools_.worker, tools_.store, [this] { return snapshot(); },
          [this](const Status& done) {
            if (!done) tools_.metrics.store_errors.add();
            tools_.conditions.set(kStateStored, "StoreFailed", done ? "" : done.error().message);
          }),
      conflicts_(tools_.conditions, tools_.metrics.cidr_conflicts, cluster_plan(options_, conf_),
                 options_.accept_cidr_conflicts),
      path_mtu_({tools_.loop, tools_.log, tools_.conditions, tools_.metrics.path_mtu_too_small,
                 tools_.metrics.path_mtu_searches}),
      offload_({tools_.loop, tools_.log, tools_.conditions, tools_.metrics.checksum_offload_off,
                [this] { state_.changed(); }},
               options_.checksum_offload, seed_of(options_.node_name)),
      known_(options_.node_name, options_.peer_removal_delay),
      retry_(200ms, 30s, seed_of(options_.node_name)) {}

Agent::~Agent() = default;

Status Agent::start(std::unique_ptr<LeaseSource> source) {
  HOLDFAST_CHECK(read_store());
  const NodeNetwork* lease = known_.lease();
  HOLDFAST_TRY(const bool has_device, overlay_.has_device());
  joining_ = lease == nullptr && !has_device;
  // before the first look, so that nothing happens between the two unseen
  HOLDFAST_CHECK(watch_kernel());
  HOLDFAST_CHECK(watch_ranges());
  HOLDFAST_CHECK(subnet_env_.start());
  // pods can start as soon as this file is there, also while there is no external interface
  if (lease != nullptr && subnet_env_.mtu() != 0) subnet_env_.put(*lease, nullptr);
  round();
  source_ = std::move(source);
  if (!refusal_) return source_->start(*this);
  tell_refusal();
  return {};
}

Status Agent::read_store() {
  HOLDFAST_TRY(OverlayStore::Loaded loaded, tools_.store.load());
  for (const std::string& note : loaded.notes) tools_.log.warning("store", {{"note", note}});
  subnet_env_.recall_mtu(loaded.state.mtu);
  offload_.recall(std::move(loaded.state.checksum_broken_with));
  overlay_.recall_former(std::move(loaded.state.former_underlay));
  known_.recall(std::move(loaded.state), now());
  tools_.log.info("store read", {{"path", tools_.store.path().native()},
                                 {"nodes", known_.nodes().nodes().size()},
                                 {"own_lease", known_.lease() != nullptr}});
  if (loaded.notes.empty()) tools_.conditions.well(kStateStored);
  return {};
}

Status Agent::watch_kernel() {
  HOLDFAST_TRY(nl::Monitor monitor,
               nl::Monitor::open({.links = true, .addresses = true, .routes = true, .neighbours = true}));
  monitor_ = std::move(monitor);
  HOLDFAST_TRY(monitor_events_,
               tools_.loop.watch(monitor_->fd(), {.readable = true}, [this](Readiness) { kernel_told(); }));
  return {};
}

Status Agent::watch_ranges() {
  read_ranges();
  HOLDFAST_TRY(no_masquerade_folder_,
               FollowedFolder::start(tools_.loop, options_.no_masq_dir, [this](const FolderNews&) {
                 read_ranges();
                 want_rules();
               }));
  return {};
}

void Agent::read_ranges() {
  NoMasqueradeRanges now = read_no_masquerade(tools_.files, options_.no_masq_dir);
  if (now == no_masquerade_) return;
  for (const std::string& note : now.notes) tools_.log.warning("range not used", {{"note", note}});
  no_masquerade_ = std::move(now);
}

void Agent::look_again() {
  round_after({});
  if (source_) source_->look_again();
}

/// In the middle of some work: the source is told when that is done.
void Agent::conditions_changed() {
  if (tell_timer_.pending()) return;
  tell_timer_ = tools_.loop.after({}, [this] {
    if (source_) source_->tell(tools_.conditions.list());
  });
}

void Agent::kernel_told() {
  const Result<std::vector<nl::Event>> events = monitor_->read();
  if (!events) {
    tools_.log.warning("events of the kernel", {{"error", events.error().message}});
    return round_after(kRoundDistance);
  }
  const bool lost = std::ranges::any_of(
      *events, [](const nl::Event& event) { return std::holds_alternative<nl::Resync>(event); });
  if (lost) tools_.metrics.netlink_resyncs.add();
  const bool concerned = lost || std::ranges::any_of(*events, [this](const nl::Event& event) {
                           return overlay_.concerned_by(event);
                         });
  if (concerned)
    round_after(std::max<std::chrono::nanoseconds>(kGather, round_ended_ + kRoundDistance - now()));
  if (std::ranges::any_of(*events, ConflictKeeper::concerned_by)) round_after(kConflictDelay);
}

void Agent::round_after(std::chrono::nanoseconds delay) {
  const auto due = now() + delay;
  if (round_timer_.pending() && round_due_ <= due) return;
  round_due_ = due;
  round_timer_ = tools_.loop.after(delay, [this] { round(); });
}

void Agent::round() {
  if (refusal_) return;
  round_timer_.end();
  peers_timer_.end();
  const RoundEnd end = put_all_right();
  if (refusal_) return;
  round_ended_ = now();
  if (end.whole) retry_.reset();
  joining_ = joining_ && !end.whole;
  const auto backoff = is_retried(end) ? retry_.next() : std::chrono::nanoseconds{};
  round_after(next_round_in(end, round_ended_, options_.resync, backoff, kRoundWaits));
}

RoundEnd Agent::put_all_right() {
  const Status taken = take_former();
  const Status found = taken ? overlay_.find_underlay() : taken;
  tools_.conditions.set(kInterfaceFound, "NoInterface", found ? "" : found.error().message);
  if (!taken) return {.whole = false, .can_try = true};
  const Status joins = joining_ ? conflicts_.may_join(overlay_) : Status{};
  if (!joins) {
    refuse_to_join(joins.error());
    return {};
  }
  const Status renewed = renew_lease();
  if (!renewed) tools_.conditions.unwell(kLeaseKnown, "KernelUnread", renewed.error().message);
  if (!known_.has_lease()) return {.whole = false, .can_try = !renewed};
  read_ranges();
  want_rules();
  if (!found) return {.whole = false, .can_try = overlay_.underlay() != nullptr};
  const bool whole = put_overlay_right();
  return {.whole = whole && renewed, .can_try = true, .contest_look = overlay_.next_contest_look()};
}

/// There is a lease, and an external interface.
bool Agent::put_overlay_right() {
  const NodeNetwork& lease = *known_.lease();
  const std::vector<const NodeNetwork*> nodes = known_.nodes().networks();
  conflicts_.look(lease, nodes, overlay_);
  const bool whole = overlay_.put_right(lease, nodes, strangers());
  offload_.apply(overlay_.underlay()->link.name, overlay_.devices());
  follow_peers();
  const bool written = put_subnet_env();
  publish();
  return whole && written;
}

bool Agent::put_subnet_env() {
  const std::uint32_t before = subnet_env_.mtu();
  const bool written = subnet_env_.put(*known_.lease(), overlay_.underlay());
  if (subnet_env_.mtu() != before) state_.changed();
  return written;
}

Status Agent::renew_lease() {
  const NodeNetworkObject* told = known_.told_of_us();
  // who we are is not decided by what cannot be read
  HOLDFAST_TRY(const auto mac, overlay_.device_mac(IpFamily::kV4));
  HOLDFAST_TRY(const auto mac6, overlay_.device_mac(IpFamily::kV6));
  UsableLease found =
      usable_lease(conf_, {options_.node_name, known_.lease(), told == nullptr ? nullptr : &told->network,
                           mac, mac6, overlay_.underlay(), mac_is_anothers_});
  tools_.conditions.set(kLeaseKnown, found.lease ? "ToldUnusable" : "NoLease", found.fault);
  // elsewhere we write what is told of us
  if (found.lease && told != nullptr && options_.source == SourceKind::kDir) {
    tools_.conditions.set(kPublicAddressWrong, "ToldOtherwise", address_fault(told->network, *found.lease));
  }
  if (!found.lease) subnet_env_.leave();
  const KnownCluster::Todo todo = known_.use_lease(std::move(found.lease));
  if (todo.store) {
    std::string cidrs;
    for (const Cidr& cidr : known_.lease()->pod_cidrs) cidrs += (cidrs.empty() ? "" : ",") + cidr.to_string();
    tools_.log.info("own lease", {{"pod_cidrs", cidrs}, {"epoch", known_.lease()->lease_epoch}});
  }
  follow_up(todo);
  return {};
}

void Agent::want_rules() {
  if (known_.lease() == nullptr) return;
  rules_.want(rules_wanted(conf_, options_, *known_.lease(), no_masquerade_.ranges, guard_));
}

/// The peers are programmed as they are known: now their packets are let in.
void Agent::follow_peers() {
  if (known_.peers_known()) guard_ = PeerGuard{conf_.vxlan.port, overlay_.peer_addresses()};
  want_rules();
  if (!ways_timer_.pending()) {
    ways_timer_ = tools_.loop.after(kWaysDelay, [this] { look_at_ways(); });
  }
}

void Agent::look_at_ways() {
  for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
    std::optional<PathMtuKeeper::Ways> ways = tunnel_ways(overlay_, family, subnet_env_.mtu());
    if (options_.path_mtu_check && ways) path_mtu_.follow(*std::move(ways));
    const Cidr* subnet = known_.lease() == nullptr ? nullptr : known_.lease()->pod_cidr(family);
    if (subnet != nullptr) offload_.look(subnet->first(), tunnel_ends(overlay_.peers(family)));
  }
}

void Agent::rules_told(const RulesKeeper::Outcome& outcome) {
  if (outcome.mended != 0) {
    tools_.metrics.rules_mended.add(static_cast<double>(outcome.mended));
    tools_.log.warning("rules were not as we left them; they are again", {{"sets", outcome.mended}});
  }
  if (guard_ || options_.accept_unknown_peers) {
    tools_.conditions.set(
        kPeersGuarded, "GuardFailed",
        outcome.guard ? "" : "VXLAN packets are taken from everybody: " + outcome.guard.error().message);
  }
  tools_.conditions.set(kRulesInPlace, "RulesFailed", outcome.done ? "" : outcome.done.error().message);
}

OverlayState Agent::snapshot() const {
  OverlayState out = known_.state(now());
  out.mtu = subnet_env_.mtu();
  out.checksum_broken_with = offload_.remembers();
  out.former_underlay = overlay_.former();
  return out;
}

void Agent::put_peers() {
  if (!known_.has_lease() || !overlay_.is_set_up()) return round_after({});
  const bool whole = overlay_.put_peers(*known_.lease(), known_.nodes().networks(), strangers());
  follow_peers();
  if (!whole) round_after(kRoundWaits.retry + retry_.next());
}

void Agent::finish() {
  state_.changed();  // the position is stored with other changes only, to spare the disk
  state_.finish();
}

PodLease Agent::pod_lease() const {
  PodLease out;
  for (const std::optional<AddressPool>& pool : {conf_.ipv4, conf_.ipv6}) {
    if (pool) out.networks.push_back(pool->network);
  }
  if (known_.lease() != nullptr) out.pod_cidrs = known_.lease()->pod_cidrs;
  return out;
}

void Agent::refresh_metrics() {
  tools_.metrics.peers_known.set(static_cast<double>(known_.nodes().nodes().size()));
  tools_.metrics.peers_leaving.set(static_cast<double>(known_.nodes().gone_count()));
  tools_.metrics.list_age.set(known_.list_age(now()));
  tools_.metrics.ready.set(tools_.conditions.ready() ? 1 : 0);
}

}  // namespace holdfast::flannel
