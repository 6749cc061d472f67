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

bool held_down(const Choice& before, nanoseconds now) {
  return before.last_switch && now - *before.last_switch < kHoldDown;
}

/// Whether it may take over from one that is lost.
bool may_replace(const Candidate& candidate, const Choice& before, bool left, nanoseconds now) {
  if (!is_trusted(candidate, now)) return false;
  if (candidate.name == before.last || !held_down(before, now)) return true;
  if (left && candidate.downs == 0) return true;
  return candidate.downs <= 1 && is_up_for(candidate, kSettleTime, now);
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

/// Why the active one is lost; empty while it is not.
std::string loss_of(const Candidate* active, const std::string& name, bool other_heard) {
  if (name.empty()) return "none was chosen";
  if (active == nullptr) return name + " is no gateway of the pool any more";
  if (active->state == LivenessState::kDown) return name + " is down";
  if (!active->reachable) return "there is no way to " + name;
  if (active->state == LivenessState::kUnknown && other_heard) return name + " is not heard";
  return "";
}

Choice changed_to(const Candidate& candidate, Choice before, std::string why, nanoseconds now) {
  if (!before.last.empty() && candidate.name != before.last) before.last_switch = now;
  before.active = candidate.name;
  before.last = candidate.name;
  before.why = std::move(why);
  return before;
}

}  // namespace

std::string_view to_string(LivenessState state) {
  switch (state) {
    case LivenessState::kUnknown:
      return "unknown";
    case LivenessState::kUp:
      return "up";
    case LivenessState::kDown:
      break;
  }
  return "down";
}

std::string shown(const std::string& name) { return name.empty() ? "none" : name; }

void LivenessHistory::told(const std::string& name, Word word, nanoseconds now) {
  Life& life = lives_[name];
  const bool up = word == Word::kUp;
  const bool was_up = life.state == LivenessState::kUp;
  if (up == was_up && life.state != LivenessState::kUnknown) return;
  life.state = up ? LivenessState::kUp : LivenessState::kDown;
  if (up) {
    life.up_since = now;
  } else if (was_up) {
    life.downs.push_back({now, word == Word::kLeaving});
    while (now - life.downs.front().when >= kFlapMemory) life.downs.pop_front();
  }
}

void LivenessHistory::watch(const std::string& name, nanoseconds now) {
  Life& life = lives_[name];
  if (!life.watched_since) life.watched_since = now;
}

LivenessState LivenessHistory::state(const std::string& name) const {
  const auto found = lives_.find(name);
  return found == lives_.end() ? LivenessState::kUnknown : found->second.state;
}

std::optional<nanoseconds> LivenessHistory::went_down(const std::string& name) const {
  const auto found = lives_.find(name);
  if (found == lives_.end() || found->second.downs.empty()) return std::nullopt;
  return found->second.downs.back().when;
}

void LivenessHistory::describe(Candidate& candidate, nanoseconds now) const {
  const auto found = lives_.find(candidate.name);
  if (found == lives_.end()) return;
  const Life& life = found->second;
  const bool missed =
      life.state == LivenessState::kUnknown && life.watched_since && now - *life.watched_since >= kFirstWord;
  candidate.state = missed ? LivenessState::kDown : life.state;
  candidate.up_since = life.up_since;
  candidate.left = life.state == LivenessState::kDown && !life.downs.empty() && life.downs.back().planned;
  candidate.downs = static_cast<std::size_t>(std::ranges::count_if(
      life.downs, [&](const Down& down) { return !down.planned && now - down.when < kFlapMemory; }));
}

Choice choose(const std::vector<Candidate>& candidates, const Choice& before, nanoseconds now) {
  const Candidate* active = find(candidates, before.active);
  const bool other_heard = std::ranges::any_of(candidates, [&](const Candidate& candidate) {
    return candidate.name != before.active && is_trusted(candidate, now) &&
           is_up_for(candidate, kOtherHeard, now);
  });
  const std::string loss = loss_of(active, before.active, other_heard);
  const bool left = active != nullptr && active->left;
  const auto better_than_active = [&](const Candidate& candidate) {
    return active == nullptr || (candidate.name != active->name && is_better(candidate, *active));
  };
  Choice out = before;
  if (loss.empty()) {
    const Candidate* better = best(candidates, [&](const Candidate& candidate) {
      return better_than_active(candidate) && candidate.priority > active->priority &&
             is_up_for(candidate, kHoldDown, now);
    });
    if (better != nullptr && !held_down(before, now)) {
      out = changed_to(*better, before, better->name + " has a higher priority, and stays up", now);
    }
  } else {
    const Candidate* next = best(
        candidates, [&](const Candidate& candidate) { return may_replace(candidate, before, left, now); });
    if (next == nullptr) next = least_bad(candidates, before, now);
    if (next != nullptr) {
      out = changed_to(*next, before, loss + "; " + next->name + " is up", now);
    } else if (!before.active.empty()) {
      out.active.clear();
      out.why = loss + ", and no other may take over";
    }
  }
  const Candidate* chosen = find(candidates, out.active);
  out.undecided = std::ranges::any_of(candidates, [&](const Candidate& candidate) {
    return is_up(candidate) && (chosen == nullptr || candidate.priority > chosen->priority);
  });
  if (chosen != nullptr && chosen->state == LivenessState::kUnknown) out.undecided = true;
  return out;
}

}  // namespace holdfast::gateway
