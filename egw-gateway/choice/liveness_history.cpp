#include "egw-gateway/choice/liveness_history.h"

#include <algorithm>

namespace holdfast::gateway {

using std::chrono::nanoseconds;

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

void LivenessHistory::told(const std::string& name, Word word, nanoseconds now) {
  Life& life = lives_[name];
  if (word == Word::kUp) return go_up(life, now);
  go_down(life, {now, word == Word::kLeaving});
}

void LivenessHistory::go_up(Life& life, nanoseconds now) {
  if (life.state == LivenessState::kUp) return;
  life.state = LivenessState::kUp;
  life.up_since = now;
}

void LivenessHistory::go_down(Life& life, const Down& down) {
  const bool was_up = life.state == LivenessState::kUp;
  life.state = LivenessState::kDown;
  if (!was_up) return;
  life.downs.push_back(down);
  while (down.when - life.downs.front().when >= kFlapMemory) life.downs.pop_front();
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

LivenessState LivenessHistory::state_of(const Life& life, nanoseconds now) {
  if (life.state != LivenessState::kUnknown) return life.state;
  const bool missed = life.watched_since && now - *life.watched_since >= kFirstWord;
  return missed ? LivenessState::kDown : LivenessState::kUnknown;
}

void LivenessHistory::describe(Candidate& candidate, nanoseconds now) const {
  const auto found = lives_.find(candidate.name);
  if (found == lives_.end()) return;
  const Life& life = found->second;
  candidate.state = state_of(life, now);
  candidate.up_since = life.up_since;
  candidate.left = life.state == LivenessState::kDown && !life.downs.empty() && life.downs.back().planned;
  candidate.downs = static_cast<std::size_t>(std::ranges::count_if(
      life.downs, [&](const Down& down) { return !down.planned && now - down.when < kFlapMemory; }));
}

}  // namespace holdfast::gateway
