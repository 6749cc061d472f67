#pragma once

#include <optional>
#include <string>

#include "egw-gateway/bfd/session.h"
#include "egw-gateway/choice/liveness_history.h"

namespace holdfast::gateway {

/// What a BFD session tells of the one at its other end.
struct SessionWord {
  Word word = Word::kDown;
  std::string why{};  ///< for people: "it answers", "it says: administratively down"

  bool operator==(const SessionWord&) const = default;
};

/// nullopt: a change among the states that are not Up, which tells nothing. Pure.
[[nodiscard]] std::optional<SessionWord> word_of(const bfd::StateChange& change);

}  // namespace holdfast::gateway
