#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>

/// What is known of gateways' lives, by what their BFD sessions tell. Time is since boot, and the caller's.
namespace holdfast::gateway {

/// For how long it is remembered that a gateway went down.
inline constexpr std::chrono::seconds kFlapMemory{30};
/// For a gateway to be heard from when it is watched: a session that was cut off is found dead by its other
/// end, and made anew at the slow pace of sessions that are down.
inline constexpr std::chrono::seconds kFirstWord{5};

enum class LivenessState : std::uint8_t {
  kUnknown,  ///< nothing was heard, and it is watched for less than kFirstWord
  kUp,
  kDown,
};
[[nodiscard]] std::string_view to_string(LivenessState state);

/// What is heard of a gateway. Source: RFC 5880 sections 4.1 (Sta, Diag) and 6.8.16 (AdminDown).
enum class Word : std::uint8_t {
  kUp,       ///< its session is Up
  kDown,     ///< its session is Up no more: the detection time expired, the peer is Down, or AdminDown as it
             ///< has no way on (Concatenated Path Down)
  kLeaving,  ///< the peer is AdminDown as it goes, as planned (Administratively Down): down, and no stumble
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

/// The life of each gateway, by name:
///
///     state     what is heard            next      what is kept of it
///     Unknown   kUp                      Up        up_since: now
///     Unknown   kDown, kLeaving          Down      nothing: it is not known to have been up
///     Unknown   nothing for kFirstWord   Down      nothing, and only for describe(): it counts as missed
///     Up        kUp                      Up        nothing: up_since stays
///     Up        kDown                    Down      a stumble, for kFlapMemory: one of `downs`
///     Up        kLeaving                 Down      that it left, until it is Up: no stumble
///     Down      kUp                      Up        up_since: now
///     Down      kDown, kLeaving          Down      nothing: how it went down stays as it was told first
class LivenessHistory {
 public:
  void told(const std::string& name, Word word, std::chrono::nanoseconds now);
  /// From `now` on `name` is watched: when nothing is told of it within kFirstWord it counts as down. Does
  /// nothing when it is watched.
  void watch(const std::string& name, std::chrono::nanoseconds now);
  void forget(const std::string& name) { lives_.erase(name); }

  /// As it was told: one that is missed is unknown.
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
    std::deque<Down> downs;  // within kFlapMemory of the latest, which is last
  };
  static void go_up(Life& life, std::chrono::nanoseconds now);
  static void go_down(Life& life, const Down& down);
  [[nodiscard]] static LivenessState state_of(const Life& life, std::chrono::nanoseconds now);

  std::map<std::string, Life> lives_;
};

}  // namespace holdfast::gateway
