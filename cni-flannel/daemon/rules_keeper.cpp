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

  Outcome put_right(const RulesWanted& wanted) {
    Outcome out;
    for (const RuleSet& set : wanted.sets) {
      Status done = put_right(wanted.nftables, set, out.mended);
      if (!done && out.done) out.done = std::move(done);
    }
    return out;
  }

 private:
  Status put_right(bool nftables, const RuleSet& set, std::size_t& mended) {
    HOLDFAST_CHECK(clean_other(nftables, set));
    HOLDFAST_TRY(Firewall* const kept, firewall(nftables));
    if (!nftables && is_empty(set)) {
      // also where iptables does not know the family
      if (!std::exchange(cleaned_[set.family], true)) HOLDFAST_CHECK(kept->clean(set));
      return {};
    }
    HOLDFAST_TRY(const bool whole, kept->is_whole(set));
    if (whole) return {};
    HOLDFAST_CHECK(kept->put(set));
    cleaned_[set.family] = false;
    const auto [before, first] = put_.try_emplace(set.family, set);
    if (!first && before->second == set) ++mended;
    before->second = set;
    return {};
  }

  /// Once a start: nobody else writes under our names.
  Status clean_other(bool nftables, const RuleSet& set) {
    if (other_cleaned_[set.family]) return {};
    const Result<Firewall*> other = firewall(!nftables);
    if (other) HOLDFAST_CHECK((*other)->clean(set));
    other_cleaned_[set.family] = true;
    return {};
  }

  Result<Firewall*> firewall(bool nftables) {
    if (!nftables) return &iptables_;
    if (!nftables_) {
      HOLDFAST_TRY(nl::Socket socket, nl::Socket::open(nl::Protocol::kNetfilter));
      socket_ = std::make_unique<nl::Socket>(std::move(socket));
      nftables_.emplace(*socket_);
    }
    return &*nftables_;
  }

  firewall::IptablesFirewall iptables_;
  std::unique_ptr<nl::Socket> socket_;
  std::optional<firewall::NftablesFirewall> nftables_;
  std::map<IpFamily, bool> other_cleaned_;
  std::map<IpFamily, bool> cleaned_;
  std::map<IpFamily, RuleSet> put_;
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
  wants_anything_ = true;
  wanted_ = std::move(wanted);
  look();
}

void RulesKeeper::look() {
  if (looking_) {
    again_ = true;
    return;
  }
  looking_ = true;
  next_.end();
  const auto outcome = std::make_shared<Outcome>();  // shared by the job and what comes after it
  worker_.run([backends = backends_, wanted = wanted_, outcome] { *outcome = backends->put_right(wanted); },
              [this, outcome] { looked(*outcome); });
}

void RulesKeeper::looked(const Outcome& outcome) {
  looking_ = false;
  if (std::exchange(again_, false)) return look();
  told_(outcome);
  next_ = loop_.after(resync_, [this] { look(); });
}

}  // namespace holdfast::flannel
