#include "egw-gateway/core/reachability_keeper.h"

#include <utility>

#include "common/base/first_error.h"

namespace holdfast::gateway {
namespace {

void add(const PassageCounts& more, PassageCounts& sums) {
  for (std::size_t i = 0; i < sums.size(); ++i) {
    sums.at(i).packets += more.at(i).packets;
    sums.at(i).bytes += more.at(i).bytes;
  }
}

}  // namespace

void ReachabilityKeeper::use(firewall::Firewall& firewall) {
  for (auto& [family, kept] : kept_) {
    add(std::exchange(kept.now, {}), kept.before);
    kept.put = false;
  }
  firewall_ = &firewall;
}

ReachabilityKeeper::Look ReachabilityKeeper::look(const Reachability& wanted) {
  Look out;
  FirstError errors;
  for (const IpFamily family : families_) {
    Kept& kept = kept_[family];
    errors.add(look_at(kept, reachability_rules(wanted, family), out.mended));
    add(kept.before, out.counts);
    add(kept.now, out.counts);
  }
  out.done = errors.result();
  return out;
}

Status ReachabilityKeeper::look_at(Kept& kept, ReachabilityRules rules, std::size_t& mended) {
  // of the rules that stand, before others take their place
  if (kept.put) count(kept);
  HOLDFAST_TRY(const bool whole, firewall_->is_whole(rules.set));
  if (whole && kept.put) return {};
  const bool harmed = !whole && kept.put && kept.rules.set == rules.set;
  Status done;
  if (!whole) done = firewall_->put(rules.set);
  // also after a put that failed: who knows what it has done to the counters
  add(std::exchange(kept.now, {}), kept.before);
  kept.put = done.has_value();
  kept.rules = std::move(rules);
  if (harmed && done) ++mended;
  return done;
}

void ReachabilityKeeper::count(Kept& kept) {
  const auto counts = firewall_->read_counts(kept.rules.set);
  if (!counts) return;  // they are not whole then, and the last that was read has to do
  PassageCounts now{};
  add_counts(kept.rules, *counts, now);
  for (std::size_t i = 0; i < now.size(); ++i) {
    // somebody has set them to 0: go on from there
    if (now.at(i).packets >= kept.now.at(i).packets) continue;
    kept.before.at(i).packets += kept.now.at(i).packets;
    kept.before.at(i).bytes += kept.now.at(i).bytes;
  }
  kept.now = now;
}

Status ReachabilityKeeper::clean() {
  FirstError errors;
  for (const IpFamily family : families_) {
    errors.add(firewall_->clean(reachability_rules({}, family).set));
    add(std::exchange(kept_[family].now, {}), kept_[family].before);
    kept_[family].put = false;
  }
  return errors.result();
}

}  // namespace holdfast::gateway
