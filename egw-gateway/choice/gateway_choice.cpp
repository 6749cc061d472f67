#include "egw-gateway/choice/gateway_choice.h"

#include <algorithm>
#include <utility>

namespace holdfast::gateway {
namespace {

using std::chrono::nanoseconds;

bool is_up(const Candidate& candidate) {
  return candidate.reachable && candidate.state == LivenessState::kUp;
}

/// Whether it has been up without a break for `time`.
bool is_up_for(const Candidate& candidate, nanoseconds time, nanoseconds now) {
  return is_up(candidate) && now - candidate.up_since >= time;
}

/// Whether it may be what all packets go to, by its own past.
bool is_trusted(const Candidate& candidate, nanoseconds now) {
  return is_up(candidate) && (candidate.downs <= 1 || is_up_for(candidate, kHoldDown, now));
}

bool is_better(const Candidate& a, const Candidate& b) {
  return a.priority != b.priority ? a.priority > b.priority : a.name < b.name;
}

bool is_held_down(const Choice& before, nanoseconds now) {
  return before.last_switch && now - *before.last_switch < kHoldDown;
}

const Candidate* find(const std::vector<Candidate>& candidates, const std::string& name) {
  const auto found = std::ranges::find(candidates, name, &Candidate::name);
  return found == candidates.end() ? nullptr : &*found;
}

template <class May>
const Candidate* best(const std::vector<Candidate>& candidates, May may) {
  const Candidate* out = nullptr;
  for (const Candidate& candidate : candidates) {
    if (may(candidate) && (out == nullptr || is_better(candidate, *out))) out = &candidate;
  }
  return out;
}

bool other_is_heard(const std::vector<Candidate>& candidates, const std::string& active, nanoseconds now) {
  return std::ranges::any_of(candidates, [&](const Candidate& candidate) {
    return candidate.name != active && is_trusted(candidate, now) && is_up_for(candidate, kOtherHeard, now);
  });
}

/// What is wrong with the active one, for people. It is not kServing.
std::string loss_of(ActiveState state, const std::string& active) {
  switch (state) {
    case ActiveState::kNone:
      return "none was chosen";
    case ActiveState::kRemoved:
      return active + " is no gateway of the pool any more";
    case ActiveState::kDown:
    case ActiveState::kLeft:
      return active + " is down";
    case ActiveState::kUnreachable:
      return "there is no way to " + active;
    case ActiveState::kUnheard:
    case ActiveState::kServing:
      break;
  }
  return active + " is not heard";
}

/// Whether it may take over from one that is lost, and is `lost` now.
bool may_replace(const Candidate& candidate, ActiveState lost, const Choice& before, nanoseconds now) {
  if (!is_trusted(candidate, now)) return false;
  if (candidate.name == before.last || !is_held_down(before, now)) return true;
  if (lost == ActiveState::kLeft && candidate.downs == 0) return true;
  return candidate.downs <= 1 && is_up_for(candidate, kSettleTime, now);
}

/// When none may take over by its past: what stays up is better than nothing.
const Candidate* least_bad(const std::vector<Candidate>& candidates, const Choice& before, nanoseconds now) {
  const Candidate* last = find(candidates, before.last);
  if (last != nullptr && is_up(*last)) return is_up_for(*last, kSettleTime, now) ? last : nullptr;
  const Candidate* out = nullptr;
  for (const Candidate& candidate : candidates) {
    if (!is_up_for(candidate, kSettleTime, now)) continue;
    if (out == nullptr || candidate.up_since < out->up_since) out = &candidate;
  }
  return out;
}

Choice changed_to(const Candidate& candidate, Choice before, std::string why, nanoseconds now) {
  if (!before.last.empty() && candidate.name != before.last) before.last_switch = now;
  before.active = candidate.name;
  before.last = candidate.name;
  before.why = std::move(why);
  return before;
}

/// The active one serves: a better one takes over when that disturbs seldom.
Choice prefer_better(const std::vector<Candidate>& candidates, const Choice& before, nanoseconds now) {
  if (is_held_down(before, now)) return before;
  const Candidate& active = *find(candidates, before.active);
  const Candidate* better = best(candidates, [&](const Candidate& candidate) {
    return candidate.priority > active.priority && is_up_for(candidate, kHoldDown, now);
  });
  if (better == nullptr) return before;
  return changed_to(*better, before, better->name + " has a higher priority, and stays up", now);
}

/// The active one is `lost`: another takes its place, or none.
Choice replace_lost(const std::vector<Candidate>& candidates, ActiveState lost, const Choice& before,
                    nanoseconds now) {
  const std::string loss = loss_of(lost, before.active);
  const Candidate* next =
      best(candidates, [&](const Candidate& candidate) { return may_replace(candidate, lost, before, now); });
  if (next == nullptr) next = least_bad(candidates, before, now);
  if (next != nullptr) return changed_to(*next, before, loss + "; " + next->name + " is up", now);
  Choice out = before;
  if (lost == ActiveState::kNone) return out;  // the word on how it came to that stays
  out.active.clear();
  out.why = loss + ", and no other may take over";
  return out;
}

/// Whether time alone may change it: the chosen one is not heard yet, or one that is up may become better.
bool is_undecided(const std::vector<Candidate>& candidates, const std::string& chosen_name) {
  const Candidate* chosen = find(candidates, chosen_name);
  if (chosen != nullptr && chosen->state == LivenessState::kUnknown) return true;
  return std::ranges::any_of(candidates, [&](const Candidate& candidate) {
    return is_up(candidate) && (chosen == nullptr || candidate.priority > chosen->priority);
  });
}

}  // namespace

std::string shown(const std::string& name) { return name.empty() ? "none" : name; }

ActiveState active_state(const std::vector<Candidate>& candidates, const Choice& before, nanoseconds now) {
  if (before.active.empty()) return ActiveState::kNone;
  const Candidate* active = find(candidates, before.active);
  if (active == nullptr) return ActiveState::kRemoved;
  if (active->state == LivenessState::kDown) return active->left ? ActiveState::kLeft : ActiveState::kDown;
  if (!active->reachable) return ActiveState::kUnreachable;
  const bool unknown = active->state == LivenessState::kUnknown;
  if (unknown && other_is_heard(candidates, before.active, now)) return ActiveState::kUnheard;
  return ActiveState::kServing;
}

Choice choose(const std::vector<Candidate>& candidates, const Choice& before, nanoseconds now) {
  const ActiveState state = active_state(candidates, before, now);
  Choice out = state == ActiveState::kServing ? prefer_better(candidates, before, now)
                                              : replace_lost(candidates, state, before, now);
  out.undecided = is_undecided(candidates, out.active);
  return out;
}

}  // namespace holdfast::gateway
