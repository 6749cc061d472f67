#include "egw-gateway/helper/bfd_liveness.h"

#include <algorithm>
#include <utility>

#include "common/base/first_error.h"
#include "egw-gateway/choice/session_word.h"

namespace holdfast::gateway {
namespace {

// From a node to a pod of another node: both nodes' hosts are on the way.
constexpr std::uint8_t kMostHops = 4;

bfd::Timers timers_of(const LivenessTarget& target) {
  const std::chrono::microseconds interval = target.interval;
  return {interval, interval, static_cast<std::uint8_t>(target.multiplier)};
}

}  // namespace

BfdLiveness::BfdLiveness(EventLoop& loop, std::optional<bfd::Keys> keys)
    : keys_(std::move(keys)),
      transport_(loop),
      engine_(loop, transport_, bfd::system_random(),
              [this](bfd::SessionId id, const bfd::StateChange& change) { changed(id, change); }) {}

Status BfdLiveness::want(const std::vector<LivenessTarget>& targets) {
  FirstError first;
  std::erase_if(sessions_, [&](const auto& entry) {
    const LivenessTarget& before = entry.second.target;
    const bool kept = std::ranges::any_of(targets, [&](const LivenessTarget& target) {
      return target.gateway == before.gateway && target.local == before.local && target.peer == before.peer;
    });
    if (!kept) first.add(engine_.remove(entry.second.id));
    return !kept;
  });
  for (const LivenessTarget& target : targets) {
    Status done = put(target);
    if (!done) done = tl::unexpected(std::move(done).error().within("watch gateway " + target.gateway));
    first.add(std::move(done));
  }
  return first.result();
}

Status BfdLiveness::set_keys(const bfd::Keys& keys) {
  keys_ = keys;
  FirstError first;
  for (const auto& [gateway, session] : sessions_) first.add(engine_.set_keys(session.id, keys));
  return first.result();
}

Status BfdLiveness::put(const LivenessTarget& target) {
  const auto there = sessions_.find(target.gateway);
  if (there == sessions_.end()) {
    HOLDFAST_TRY(const bfd::SessionId id, add(target));
    sessions_[target.gateway] = {target, id};
    return {};
  }
  if (there->second.target == target) return {};
  there->second.target = target;
  return engine_.set_timers(there->second.id, timers_of(target));
}

Result<bfd::SessionId> BfdLiveness::add(const LivenessTarget& target) {
  bfd::SessionConfig config;
  config.path = {bfd::Hops::kMulti, target.local, target.peer};
  config.timers = timers_of(target);
  config.keys = keys_;
  config.least_ttl = bfd::kTtl - kMostHops;
  return engine_.add(config);
}

void BfdLiveness::changed(bfd::SessionId id, const bfd::StateChange& change) {
  const auto found =
      std::ranges::find_if(sessions_, [&](const auto& entry) { return entry.second.id == id; });
  const std::optional<SessionWord> said = word_of(change);
  if (found == sessions_.end() || !said || !told_) return;
  const std::string gateway = found->first;  // the callee may change what is wanted
  told_(gateway, said->word, said->why);
}

}  // namespace holdfast::gateway
