#include "egw-gateway/choice/session_word.h"

#include "test/catch.h"

namespace holdfast::gateway {
namespace {

using bfd::Diagnostic;
using bfd::State;

TEST_CASE("What a session's change of state tells of its other end", "[gateway]") {
  struct Case {
    const char* name;
    bfd::StateChange change;
    std::optional<SessionWord> told;
  };
  const Case cases[] = {
      {"it comes up",
       {State::kInit, State::kUp, Diagnostic::kNone, Diagnostic::kNone},
       {{Word::kUp, "it answers"}}},
      {"it comes up, and tells why it was down",
       {State::kDown, State::kUp, Diagnostic::kNone, Diagnostic::kDetectionTimeExpired},
       {{Word::kUp, "it answers"}}},
      {"it is silent",
       {State::kUp, State::kDown, Diagnostic::kDetectionTimeExpired, Diagnostic::kNone},
       {{Word::kDown, "detection time expired"}}},
      {"it has no way on",
       {State::kUp, State::kDown, Diagnostic::kNeighborSignaledDown, Diagnostic::kConcatenatedPathDown},
       {{Word::kDown, "it says: concatenated path down"}}},
      {"it goes, as planned",
       {State::kUp, State::kDown, Diagnostic::kNeighborSignaledDown, Diagnostic::kAdministrativelyDown},
       {{Word::kLeaving, "it says: administratively down"}}},
      {"it begins", {State::kDown, State::kInit, Diagnostic::kNone, Diagnostic::kNone}, std::nullopt},
      {"it was not up, and goes",
       {State::kInit, State::kDown, Diagnostic::kNeighborSignaledDown, Diagnostic::kAdministrativelyDown},
       std::nullopt},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) { CHECK(word_of(c.change) == c.told); }
  }
}

}  // namespace
}  // namespace holdfast::gateway
