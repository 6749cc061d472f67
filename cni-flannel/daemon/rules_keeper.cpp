#include "cni-flannel/daemon/rules_keeper.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "common/firewall/iptables_firewall.h"
#include "common/firewall/nftables_firewall.h"
#include "common/netlink/socket.h"

namespace holdfast::flannel {
namespace {

using firewall::Firewall;
using firewall::RuleSet;

bool is_empty(const RuleSet& set) {
  return std::ranges::none_of(set.chains, [](const firewall::Chain& chain) { return chain.wanted; });
}

}  // namespace

/// Both kinds of firewall; a kernel may lack either.
class RulesKeeper::Backends {
 public:
  explicit Backends(Executor& executor) : iptables_(executor) {}

  /// `whole`: all of it, else the guard only.
  Outcome put_right(const RulesWanted& wanted, bool whole) {
    Outcome out;
    out.guard = put_guard(wanted, out.mended);
    out.done = sets_done_;
    if (!whole) return out;
    out.done = {};
    for (const RuleSet& set : wanted.sets) {
      Status done = put_right(wanted.nftables, set, out.mended);
      if (!done && out.done) out.done = std::move(done);
    }
    sets_done_ = out.done;
    return out;
  }

 private:
  /// Ours stand before others go, so that no packet meets neither.
  Status put_right(bool nftables, const RuleSet& set, std::size_t& mended) {
    HOLDFAST_CHECK(put_ours(nftables, set, mended));
    return clean_others(nftables, set);
  }

  Status put_ours(bool nftables, const RuleSet& set, std::size_t& mended) {
    HOLDFAST_TRY(Firewall* const kept, firewall(nftables));
    if (!nftables && is_empty(set)) {
      // also where iptables does not know the family
      if (!std::exchange(cleaned_[set.family], true)) HOLDFAST_CHECK(kept->clean(set));
      return {};
    }
    HOLDFAST_TRY(const bool whole, kept->is_whole(set));
    if (whole) return {};
    Status put = kept->put(set);
    if (!put && put.error().code == Code::kAborted) ++mended;
    HOLDFAST_CHECK(std::move(put));
    cleaned_[set.family] = false;
    const auto [before, first] = put_.try_emplace(set.family, set);
    if (!first && before->second == set) ++mended;
    before->second = set;
    return {};
  }

  Status put_guard(const RulesWanted& wanted, std::size_t& mended) {
    if (!wanted.guarded) {
      if (std::exchange(guard_removed_, true)) return {};
      return socket() ? remove_peer_guard(*socket_) : Status{};
    }
    if (!wanted.guard) return {};
    HOLDFAST_CHECK(socket());
    HOLDFAST_TRY(const bool whole, peer_guard_is_whole(*socket_, *wanted.guard));
    if (whole) return {};
    HOLDFAST_CHECK(put_peer_guard(*socket_, *wanted.guard));
    if (guard_ == wanted.guard) ++mended;
    guard_ = wanted.guard;
    return {};
  }

  Status socket() {
    if (socket_) return {};
    HOLDFAST_TRY(nl::Socket socket, nl::Socket::open(nl::Protocol::kNetfilter));
    socket_ = std::make_unique<nl::Socket>(std::move(socket));
    return {};
  }

  /// Once a start: nobody else writes under our names.
  Status clean_others(bool nftables, const RuleSet& set) {
    if (others_cleaned_[set.family]) return {};
    const Result<Firewall*> other = firewall(!nftables);
    if (other) HOLDFAST_CHECK((*other)->clean(set));
    HOLDFAST_CHECK(iptables_.clean_other(set));
    others_cleaned_[set.family] = true;
    return {};
  }

  Result<Firewall*> firewall(bool nftables) {
    if (!nftables) return &iptables_;
    if (!nftables_) {
      HOLDFAST_CHECK(socket());
      nftables_.emplace(*socket_);
    }
    return &*nftables_;
  }

  firewall::IptablesFirewall iptables_;
  std::unique_ptr<nl::Socket> socket_;
  std::optional<firewall::NftablesFirewall> nftables_;
  std::map<IpFamily, bool> others_cleaned_;
  std::map<IpFamily, bool> cleaned_;
  std::map<IpFamily, RuleSet> put_;
  Status sets_done_;  // of the last look at the sets
  bool guard_removed_ = false;
  std::optional<PeerGuard> guard_;  // as put last
};

RulesKeeper::RulesKeeper(EventLoop& loop, Worker& worker, Executor& executor, std::chrono::seconds resync,
                         Told told)
    : loop_(loop),
      worker_(worker),
      resync_(resync),
      told_(std::move(told)),
      backends_(std::make_shared<Backends>(executor)) {}

RulesKeeper::~RulesKeeper() = default;

void RulesKeeper::want(RulesWanted wanted) {
  if (wants_anything_ && wanted == wanted_) return;
  const bool whole = !wants_anything_ || wanted.nftables != wanted_.nftables || wanted.sets != wanted_.sets;
  wants_anything_ = true;
  wanted_ = std::move(wanted);
  look(whole);
}

void RulesKeeper::look(bool whole) {
  if (looking_) {
    again_ = true;
    again_whole_ = again_whole_ || whole;
    return;
  }
  looking_ = true;
  const auto outcome = std::make_shared<Outcome>();  // shared by the job and what comes after it
  worker_.run([backends = backends_, wanted = wanted_, whole,
               outcome] { *outcome = backends->put_right(wanted, whole); },
              [this, outcome] { looked(*outcome); });
}

void RulesKeeper::looked(const Outcome& outcome) {
  looking_ = false;
  told_(outcome);
  if (!next_.pending()) next_ = loop_.after(resync_, [this] { look(true); });
  if (std::exchange(again_, false)) look(std::exchange(again_whole_, false));
}

}  // namespace holdfast::flannel
