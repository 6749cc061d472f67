#include "cni-flannel/daemon/agent.h"

#include <unistd.h>

#include <algorithm>
#include <functional>
#include <utility>
#include <variant>

#include "cni-flannel/daemon/own_lease.h"
#include "cni-flannel/daemon/rules_wanted.h"
#include "cni-flannel/daemon/subnet_file.h"

namespace holdfast::flannel {
namespace {

using namespace std::chrono_literals;

// Events of the kernel come in floods: they are taken together, and leave the loop its time.
constexpr auto kGather = 1ms;
constexpr auto kRoundDistance = 30ms;
// Two who write one file, each after the other, leave the node its time.
constexpr auto kFileDelay = 100ms;
// Pods come with addresses and routes of their own, which are no news to us.
constexpr auto kConflictDelay = 1s;
// Not urgent: the first second is for what is.
constexpr auto kWaysDelay = 1s;

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
      retry_(200ms, 30s, seed_of(options_.node_name)) {}

Agent::~Agent() = default;

Status Agent::start(std::unique_ptr<LeaseSource> source) {
  HOLDFAST_CHECK(read_store());
  joining_ = !own_ && !overlay_.device_mac(IpFamily::kV4) && !overlay_.device_mac(IpFamily::kV6);
  // before the first look, so that nothing happens between the two unseen
  HOLDFAST_CHECK(watch_kernel());
  HOLDFAST_CHECK(watch_folders());
  // pods can start as soon as this file is there, also while there is no external interface
  if (own_ && mtu_ != 0) write_subnet_env();
  round();
  source_ = std::move(source);
  if (!refusal_) return source_->start(*this);
  tell_refusal();
  return {};
}

Status Agent::read_store() {
  HOLDFAST_TRY(OverlayStore::Loaded loaded, tools_.store.load());
  for (const std::string& note : loaded.notes) tools_.log.warning("store", {{"note", note}});
  cluster_id_ = std::move(loaded.state.cluster_id);
  own_ = std::move(loaded.state.own);
  known_ = KnownPeers(std::move(loaded.state.peers));
  peers_known_ = !known_.nodes().empty();
  position_ = std::move(loaded.state.resource_version);
  crd_seen_ = loaded.state.crd_seen;
  mtu_ = loaded.state.mtu;
  offload_.recall(std::move(loaded.state.checksum_broken_with));
  tools_.log.info("store read", {{"path", tools_.store.path().native()},
                                 {"nodes", known_.nodes().size()},
                                 {"own_lease", own_.has_value()}});
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

Status Agent::watch_folders() {
  read_ranges();
  HOLDFAST_TRY(no_masquerade_folder_,
               FollowedFolder::start(tools_.loop, options_.no_masq_dir, [this](const FolderNews&) {
                 read_ranges();
                 want_rules();
               }));
  const std::string name = options_.subnet_file.filename();
  HOLDFAST_TRY(subnet_file_folder_, FollowedFolder::start(tools_.loop, options_.subnet_file.parent_path(),
                                                          [this, name](const FolderNews& news) {
                                                            if (news.all || news.names.contains(name))
                                                              subnet_file_touched();
                                                          }));
  return {};
}

/// By ourselves, or by somebody without whom no pod waits for the next look at everything.
void Agent::subnet_file_touched() {
  if (!has_lease_ || subnet_file_timer_.pending()) return;
  subnet_file_timer_ = tools_.loop.after(kFileDelay, [this] {
    if (has_lease_) write_subnet_env();
  });
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
  const bool whole = round_succeeds();
  round_ended_ = now();
  after_round(whole);
}

bool Agent::round_succeeds() {
  const Status found = overlay_.find_underlay();
  tools_.conditions.set(kInterfaceFound, "NoInterface", found ? "" : found.error().message);
  if (joining_) {
    if (Status joins = conflicts_.may_join(overlay_); !joins) {
      refuse_to_join(std::move(joins).error());
      return false;
    }
  }
  if (!renew_lease()) return false;
  read_ranges();
  want_rules();
  if (!found) return false;
  const std::vector<const NodeNetwork*> nodes = known_.networks();
  conflicts_.look(*own_, nodes, overlay_);
  const bool whole = overlay_.put_right(*own_, nodes, strangers());
  offload_.apply(overlay_.underlay()->link.name, overlay_.devices());
  follow_peers();
  const bool written = write_subnet_env();
  publish();
  return whole && written;
}

void Agent::after_round(bool whole) {
  if (whole) retry_.reset();
  joining_ = joining_ && !whole;
  // without a lease or an interface there is nothing to try again before something is told
  const bool hopeless = !has_lease_ || !tools_.conditions.is_well(kInterfaceFound);
  round_after(whole || hopeless ? std::chrono::nanoseconds(options_.resync)
                                : std::chrono::nanoseconds(100ms) + retry_.next());
  if (const auto look = overlay_.next_contest_look()) {
    round_after(std::max<std::chrono::nanoseconds>(1s, *look - now()));
  }
}

/// Returns whether there is a lease.
bool Agent::renew_lease() {
  const NodeNetworkObject* told = known_.find(options_.node_name);
  const UsableLease found = usable_lease(
      conf_, {options_.node_name, own_ ? &*own_ : nullptr, told == nullptr ? nullptr : &told->network,
              overlay_.device_mac(IpFamily::kV4), overlay_.device_mac(IpFamily::kV6), overlay_.underlay()});
  tools_.conditions.set(kLeaseKnown, found.lease ? "ToldUnusable" : "NoLease", found.fault);
  has_lease_ = found.lease.has_value();
  // elsewhere we write what is told of us
  if (has_lease_ && told != nullptr && options_.source == SourceKind::kDir) {
    tools_.conditions.set(kPublicAddressWrong, "ToldOtherwise", address_fault(told->network, *found.lease));
  }
  if (has_lease_ && own_ != *found.lease) {
    own_ = *found.lease;
    state_.changed();
    std::string cidrs;
    for (const Cidr& cidr : own_->pod_cidrs) cidrs += (cidrs.empty() ? "" : ",") + cidr.to_string();
    tools_.log.info("own lease", {{"pod_cidrs", cidrs}, {"epoch", own_->lease_epoch}});
  }
  return has_lease_;
}

/// Returns whether the file is as it should be.
bool Agent::write_subnet_env() {
  Status done;
  if (const Underlay* underlay = overlay_.underlay()) {
    const Result<std::uint32_t> mtu = overlay_mtu(conf_, underlay->link.mtu);
    if (!mtu) done = tl::unexpected(mtu.error());
    if (mtu && mtu_ != *mtu) {
      mtu_ = *mtu;
      state_.changed();
    }
  }
  if (done) {
    const Result<SubnetFile> file = subnet_file_of(conf_, *own_, mtu_, options_.ip_masq);
    done = file ? write_subnet_file(tools_.files, options_.subnet_file, *file)
                : Status(tl::unexpected(file.error()));
  }
  tools_.conditions.set(kSubnetFileWritten, "WriteFailed", done ? "" : done.error().message);
  return done.has_value();
}

void Agent::want_rules() {
  if (own_) rules_.want(rules_wanted(conf_, options_, *own_, no_masquerade_.ranges, guard_));
}

/// The peers are programmed as they are known: now their packets are let in.
void Agent::follow_peers() {
  // with neither store nor list nobody is known yet, and everybody would be a stranger
  if (peers_known_) guard_ = PeerGuard{conf_.vxlan.port, overlay_.peer_addresses()};
  want_rules();
  if (!ways_timer_.pending()) {
    ways_timer_ = tools_.loop.after(kWaysDelay, [this] { look_at_ways(); });
  }
}

void Agent::look_at_ways() {
  for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
    std::optional<PathMtuKeeper::Ways> ways = tunnel_ways(overlay_, family, mtu_);
    if (options_.path_mtu_check && ways) path_mtu_.follow(*std::move(ways));
    const Cidr* subnet = own_ ? own_->pod_cidr(family) : nullptr;
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
  return {cluster_id_,         own_, {known_.nodes().begin(), known_.nodes().end()},
          position_,           mtu_, crd_seen_,
          offload_.remembers()};
}

void Agent::peers_changed() {
  state_.changed();
  if (!peers_timer_.pending()) peers_timer_ = tools_.loop.after({}, [this] { put_peers(); });
}

void Agent::put_peers() {
  if (!has_lease_ || !tools_.conditions.is_well(kDeviceRight)) return round_after({});
  const std::vector<const NodeNetwork*> nodes = known_.networks();
  const bool whole = overlay_.put_peers(*own_, nodes, strangers());
  follow_peers();
  if (!whole) round_after(100ms + retry_.next());
}

void Agent::finish() {
  state_.changed();  // the position is stored with other changes only, to spare the disk
  state_.finish();
}

void Agent::refresh_metrics() {
  tools_.metrics.peers_known.set(static_cast<double>(known_.nodes().size()));
  tools_.metrics.peers_leaving.set(static_cast<double>(known_.gone_count()));
  const std::chrono::duration<double> age = now() - listed_at_.value_or(now() + 1s);
  tools_.metrics.list_age.set(age.count());
  tools_.metrics.ready.set(tools_.conditions.ready() ? 1 : 0);
}

}  // namespace holdfast::flannel
