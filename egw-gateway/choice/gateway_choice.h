#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Which of several gateways, all of which would do, packets are sent to. Time is since boot, and the
/// caller's.
namespace holdfast::gateway {

/// From one change of the gateway to the next that is not forced, and before a better one, or one that went
/// down again and again, takes over.
inline constexpr std::chrono::seconds kHoldDown{10};
/// For how long a gateway must have been up to take over within the hold-down.
inline constexpr std::chrono::seconds kSettleTime{3};
/// For how long it is remembered that a gateway went down.
inline constexpr std::chrono::seconds kFlapMemory{30};
/// For a gateway to be heard from when it is watched: a session that was cut off is found dead by its other
/// end, and made anew at the slow pace of sessions that are down.
inline constexpr std::chrono::seconds kFirstWord{5};
/// The same, while another one has been up for as long: who would answer both has answered one.
inline constexpr std::chrono::seconds kOtherHeard{2};

enum class LivenessState : std::uint8_t {
  kUnknown,  ///< nothing was heard, and it is watched for less than kFirstWord
  kUp,
  kDown,
};
[[nodiscard]] std::string_view to_string(LivenessState state);

/// A name for people: "none" for none.
[[nodiscard]] std::string shown(const std::string& name);

/// What is heard of a gateway.
enum class Word : std::uint8_t {
  kUp,
  kDown,     ///< it is missed, or says that it has no way
  kLeaving,  ///< it says that it goes, as planned: down, and no stumble
};

/// A gateway that may be chosen.
struct Candidate {
  std::string name{};
  int priority = 0;       ///< more is preferred; of equal ones the first by name
  bool reachable = true;  ///< there is a way to it
  LivenessState state = LivenessState::kUnknown;
  std::chrono::nanoseconds up_since{};  ///< while up
  std::size_t downs = 0;                ///< how often it went down unplanned within the last kFlapMemory
  bool left = false;                    ///< it is down because it went as planned

  bool operator==(const Candidate&) const = default;
};

/// What is known of gateways' lives.
class LivenessHistory {
 public:
  void told(const std::string& name, Word word, std::chrono::nanoseconds now);
  /// From `now` on `name` is watched: when nothing is told of it within kFirstWord it counts as down. Does
  /// nothing when it is watched.
  void watch(const std::string& name, std::chrono::nanoseconds now);
  void forget(const std::string& name) { lives_.erase(name); }

  [[nodiscard]] LivenessState state(const std::string& name) const;
  /// When it last went down; nullopt: it did not, as far as is remembered.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> went_down(const std::string& name) const;
  /// What is known of it, filled into the candidate of this name.
  void describe(Candidate& candidate, std::chrono::nanoseconds now) const;

 private:
  struct Down {
    std::chrono::nanoseconds when{};
    bool planned = false;
  };
  struct Life {
    LivenessState state = LivenessState::kUnknown;
    std::optional<std::chrono::nanoseconds> watched_since{};
    std::chrono::nanoseconds up_since{};
    std::deque<Down> downs;  // lately, the latest last
  };
  std::map<std::string, Life> lives_;
};

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

/// The gateway to use from `now` on:
///
///     the active one while it is reachable and not down (unknown: another program's word counts on, until
///     another one is up for kOtherHeard), unless a better one is up for kHoldDown, and the last switch is as
///     old;
///     else the best that is up and reachable, at once, but
///       - one that went down more than once within kFlapMemory, unplanned, must have been up for kHoldDown,
///       - another than the last active one is taken within kHoldDown of the last switch only when it has
///         been up for kSettleTime, and went down no more than once within kFlapMemory, or when the active
///         one has left as planned, and it did not go down unplanned;
///     else, when none of them is trusted, the last active one when it has been up for kSettleTime, and while
///     it is not up the one that has been up for longest, and for kSettleTime;
///     else none.
///
/// So a gateway that dies costs no wait, one whose uplink is up for a second and down for a second causes one
/// switch, however long it does, and when all have stumbled the ranges are closed for kSettleTime at most
/// once one stays up. Pure.
[[nodiscard]] Choice choose(const std::vector<Candidate>& candidates, const Choice& before,
                            std::chrono::nanoseconds now);

}  // namespace holdfast::gateway
