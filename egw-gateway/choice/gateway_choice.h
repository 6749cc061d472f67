#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "egw-gateway/choice/liveness_history.h"

/// Which of several gateways, all of which would do, packets are sent to. Time is since boot, and the
/// caller's.
namespace holdfast::gateway {

/// From one change of the gateway to the next that is not forced, and before a better one, or one that went
/// down again and again, takes over.
inline constexpr std::chrono::seconds kHoldDown{10};
/// For how long a gateway must have been up to take over within the hold-down.
inline constexpr std::chrono::seconds kSettleTime{3};
/// As kFirstWord, while another one has been up for as long: who would answer both has answered one.
inline constexpr std::chrono::seconds kOtherHeard{2};

/// A name for people: "none" for none.
[[nodiscard]] std::string shown(const std::string& name);

/// What was chosen, to be handed to the next choose().
struct Choice {
  std::string active{};                                   ///< empty: none
  std::string last{};                                     ///< the last active one; empty: there was none
  std::optional<std::chrono::nanoseconds> last_switch{};  ///< when `last` became another than before
  std::string why{};                                      ///< of the last change, for people
  /// Time alone may change what is chosen: to be asked again soon.
  bool undecided = false;

  bool operator==(const Choice&) const = default;
};

/// What the active gateway is found to be. All but kServing are losses: another is looked for.
enum class ActiveState : std::uint8_t {
  kNone,         ///< there is none
  kRemoved,      ///< it is no candidate any more
  kDown,         ///< it is missed, or says that it has no way
  kLeft,         ///< it is down because it went as planned
  kUnreachable,  ///< there is no way to it
  kUnheard,      ///< unknown, while another one that is trusted has been up for kOtherHeard
  kServing,      ///< up; or unknown, and no other is heard: another program's word counts on
};

/// Of `before.active`. Pure.
[[nodiscard]] ActiveState active_state(const std::vector<Candidate>& candidates, const Choice& before,
                                       std::chrono::nanoseconds now);

/// The gateway to use from `now` on. "Up" is up and reachable; "stumbles" are Candidate::downs; one is
/// trusted when it is up and has stumbled once at most, or has been up for kHoldDown; "held down" is within
/// kHoldDown of the last switch.
///
///     active is   what is known of the others                         becomes active
///     Serving     one of higher priority is up for kHoldDown,
///                 and it is not held down                             the best of these
///     Serving     else                                                as before
///     lost        one may take over (below)                           the best of these, at once
///     lost        none may; the last active one is up for kSettleTime the last active one
///     lost        none may; the last active one is up for less        none: it is waited for
///     lost        none may; the last active one is not up, and
///                 another is for kSettleTime                          the one that is up for longest
///     lost        else                                                none
///
/// Who is trusted may take over from one that is lost, when
///
///     it was the last active one, or it is not held down              at once
///     the active one Left, and it has not stumbled                    at once
///     it has stumbled once at most                                    when it is up for kSettleTime
///     else                                                            when it is not held down any more
///
/// So a gateway that dies costs no wait, one whose uplink is up for a second and down for a second causes one
/// switch, however long it does, and when all have stumbled the ranges are closed for kSettleTime at most
/// once one stays up. Pure.
[[nodiscard]] Choice choose(const std::vector<Candidate>& candidates, const Choice& before,
                            std::chrono::nanoseconds now);

}  // namespace holdfast::gateway
