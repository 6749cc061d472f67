#include "egw-gateway/choice/session_word.h"

namespace holdfast::gateway {
namespace {

/// The peer's own reason, if it told one, else what this end has seen.
std::string why_down(const bfd::StateChange& change) {
  if (change.remote_diagnostic == bfd::Diagnostic::kNone)
    return std::string(bfd::to_string(change.diagnostic));
  return "it says: " + std::string(bfd::to_string(change.remote_diagnostic));
}

}  // namespace

std::optional<SessionWord> word_of(const bfd::StateChange& change) {
  const bool up = change.to == bfd::State::kUp;
  if (up == (change.from == bfd::State::kUp)) return std::nullopt;
  if (up) return SessionWord{Word::kUp, "it answers"};
  return SessionWord{change.is_farewell() ? Word::kLeaving : Word::kDown, why_down(change)};
}

}  // namespace holdfast::gateway
