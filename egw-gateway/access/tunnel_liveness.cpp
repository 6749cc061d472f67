#include "egw-gateway/access/tunnel_liveness.h"

#include <algorithm>
#include <utility>

#include "common/base/first_error.h"
#include "egw-gateway/choice/session_word.h"

namespace holdfast::gateway {
namespace {

bfd::Timers timers_of(const TunnelTarget& target) {
  const std::chrono::microseconds interval = target.interval;
  return {interval, interval, TunnelLiveness::kMultiplier};
}

bfd::Path path_of(const TunnelTarget& target) {
  return {bfd::Hops::kSingle, target.local, target.peer, target.ifindex};
}

}  // namespace

TunnelLiveness::TunnelLiveness(EventLoop& loop, Told told)
    : told_(std::move(told)),
      transport_(loop),
      engine_(loop, transport_, bfd::system_random(),
              [this](bfd::SessionId id, const bfd::StateChange& change) { changed(id, change); }) {}

Status TunnelLiveness::want(const std::vector<TunnelTarget>& targets) {
  FirstError first;
  std::erase_if(sessions_, [&](const auto& entry) {
    const bool kept = std::ranges::any_of(targets, [&](const TunnelTarget& target) {
      return target.way == entry.first && path_of(target) == path_of(entry.second.target);
    });
    if (!kept) first.add(engine_.remove(entry.second.id));
    return !kept;
  });
  for (const TunnelTarget& target : targets) {
    Status done = put(target);
    if (!done)
      done = tl::unexpected(std::move(done).error().within("watch gateway " + target.way.to_string()));
    first.add(std::move(done));
  }
  return first.result();
}

Status TunnelLiveness::put(const TunnelTarget& target) {
  const auto there = sessions_.find(target.way);
  if (there != sessions_.end()) {
    if (there->second.target == target) return {};
    there->second.target = target;
    return engine_.set_timers(there->second.id, timers_of(target));
  }
  bfd::SessionConfig config;
  config.path = path_of(target);
  config.timers = timers_of(target);
  config.admin_down = left_.contains(target.way);
  HOLDFAST_TRY(const bfd::SessionId id, engine_.add(config));
  sessions_[target.way] = {target, id};
  return {};
}

Status TunnelLiveness::add_router(const IpAddress& local, const IpAddress& router) {
  if (routers_.contains(router)) return {};
  bfd::SessionConfig config;
  config.path = {bfd::Hops::kSingle, local, router};
  config.admin_down = leaving_ || !alive_;
  HOLDFAST_TRY(routers_[router], engine_.add(config));
  return {};
}

void TunnelLiveness::tell_routers(bool alive) {
  if (leaving_ || std::exchange(alive_, alive) == alive) return;
  for (const auto& [router, id] : routers_) {
    static_cast<void>(engine_.set_admin_down(id, !alive));  // it is there
  }
}

void TunnelLiveness::leave(std::set<WayName> ways) {
  leaving_ = true;
  left_ = std::move(ways);
  for (const auto& [way, session] : sessions_) {
    if (left_.contains(way)) static_cast<void>(engine_.set_admin_down(session.id, true));  // it is there
  }
  for (const auto& [router, id] : routers_) static_cast<void>(engine_.set_admin_down(id, true));
}

bool TunnelLiveness::is_believed_by(bfd::SessionId id) const {
  const auto view = engine_.find(id);
  return view &&
         (view->state.remote_state == bfd::State::kUp || view->state.remote_state == bfd::State::kInit);
}

bool TunnelLiveness::is_left() const {
  return std::ranges::none_of(sessions_,
                              [&](const auto& entry) {
                                return left_.contains(entry.first) && is_believed_by(entry.second.id);
                              }) &&
         std::ranges::none_of(routers_, [&](const auto& entry) { return is_believed_by(entry.second); });
}

void TunnelLiveness::changed(bfd::SessionId id, const bfd::StateChange& change) {
  const auto found =
      std::ranges::find_if(sessions_, [&](const auto& entry) { return entry.second.id == id; });
  const std::optional<SessionWord> said = word_of(change);
  if (found == sessions_.end() || !said) return;
  const WayName way = found->first;  // the callee may change what is wanted
  if (left_.contains(way)) return;   // our own doing
  told_(way, said->word, said->why);
}

}  // namespace holdfast::gateway
