#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>

#include "common/base/result.h"
#include "egw-gateway/bfd/packet.h"

namespace holdfast::bfd {

/// Random numbers, so that tests know them.
using Random = std::function<std::uint32_t()>;
/// Numbers that are not 0 and no session's at this end, random for each.
using Discriminators = std::function<std::uint32_t()>;

/// What one end asks of a session. A peer that dies is found dead after detect_multiplier times the slower
/// one's interval.
struct Timers {
  std::chrono::microseconds desired_min_tx{100'000};
  std::chrono::microseconds required_min_rx{100'000};
  std::uint8_t detect_multiplier = 3;

  bool operator==(const Timers&) const = default;
};

/// Errors: kInvalidArgument: an interval that is not 1 ms..kLongestInterval, a multiplier of 0.
[[nodiscard]] Status check(const Timers& timers);

/// A session that is not up sends no faster. Source: RFC 5880 section 6.8.3.
inline constexpr std::chrono::microseconds kSlowInterval{1'000'000};

/// The state after a packet in state `remote` has been received in state `local`. Source: RFC 5880 sections
/// 6.2 and 6.8.6.
[[nodiscard]] State next_state(State local, State remote);

/// A change of state, to be told.
struct StateChange {
  State from = State::kDown;
  State to = State::kDown;
  Diagnostic diagnostic = Diagnostic::kNone;         ///< why, as this end sees it
  Diagnostic remote_diagnostic = Diagnostic::kNone;  ///< what the peer last told

  /// The peer was there, and says that it goes, as planned.
  [[nodiscard]] bool is_farewell() const {
    return from == State::kUp && remote_diagnostic == Diagnostic::kAdministrativelyDown;
  }
  bool operator==(const StateChange&) const = default;
};

/// What is to be done after an event.
struct Actions {
  std::optional<Packet> send;  ///< at once
  std::optional<StateChange> change;
};

/// What a session knows, to be shown.
struct SessionState {
  State state = State::kDown;
  Diagnostic diagnostic = Diagnostic::kNone;
  State remote_state = State::kDown;
  Diagnostic remote_diagnostic = Diagnostic::kNone;
  std::uint32_t discriminator = 0;
  std::uint32_t remote_discriminator = 0;         ///< 0: the peer is not heard
  std::chrono::microseconds transmit_interval{};  ///< before jitter; 0: sends nothing by itself
  std::chrono::microseconds detection_time{};     ///< 0: the peer is not heard
};

/// One end of a BFD session: asynchronous mode, active role, no echo; a peer that asks for demand mode is
/// sent to as before. Events in, actions out; no I/O, and time is what the caller says it is (of a clock that
/// does not jump).
///
///           peer Down           peer Init, Up
///     Down -------------> Init ---------------> Up
///      |                                         ^
///      +-------------- peer Init ----------------+
///
///     Init, Up -> Down: nothing heard for the detection time, or the peer is AdminDown
///     Up -> Down: the peer is Down
///     any -> AdminDown -> Down: set_admin_down()
///
/// Source: RFC 5880 sections 6.2, 6.5 (poll), 6.8.2..6.8.4 (timers), 6.8.6 (reception), 6.8.7 (transmission),
/// 6.8.16 (administrative control).
class Session {
 public:
  /// `timers` passed check(). The first packet is due `now`. It takes another discriminator when a silent
  /// peer is forgotten: what was said to the old one is then for nobody, and cannot be played back.
  Session(Discriminators discriminators, Timers timers, Random random, std::chrono::nanoseconds now);

  /// `packet` came from the peer, was parsed, and is authentic where that is asked for.
  Actions received(const Packet& packet, std::chrono::nanoseconds now);

  /// When due() has something to do at the latest.
  [[nodiscard]] std::chrono::nanoseconds next_due() const;
  /// Whether due() would do something: a packet may go out up to a twentieth of its interval before
  /// next_due(), so that those of several sessions go out by one system call.
  [[nodiscard]] bool may_act(std::chrono::nanoseconds now) const;
  /// Sends what is due, and finds a silent peer dead. Does nothing before its time.
  Actions due(std::chrono::nanoseconds now);

  /// `down`: takes the session down, tells the peer why, and takes part in nothing until it is called with
  /// false. Source: RFC 5880 section 6.8.16.
  Actions set_admin_down(bool down, std::chrono::nanoseconds now,
                         Diagnostic why = Diagnostic::kAdministrativelyDown);
  /// `timers` passed check(). With a session that is up they are agreed by a poll sequence: what would make
  /// the peer wait longer than it knows to, or us shorter than it sends, counts from its answer on.
  void set_timers(const Timers& timers, std::chrono::nanoseconds now);

  [[nodiscard]] SessionState state() const;
  /// What the peer addresses us by.
  [[nodiscard]] std::uint32_t discriminator() const { return discriminator_; }
  /// Silence after which the peer counts as dead. 0: it is not heard.
  [[nodiscard]] std::chrono::microseconds detection_time() const;
  /// Silence after which its authentication may begin anew: twice the detection time, also of a peer that is
  /// not heard any more. Source: RFC 5880 section 6.8.1, bfd.AuthSeqKnown.
  [[nodiscard]] std::chrono::microseconds forgets_after() const;

 private:
  using Time = std::chrono::nanoseconds;
  using Interval = std::chrono::microseconds;
  struct Intervals {
    Interval tx{};
    Interval rx{};
    bool operator==(const Intervals&) const = default;
  };
  struct Remote {
    std::uint32_t discriminator = 0;
    State state = State::kDown;
    Diagnostic diagnostic = Diagnostic::kNone;
    Interval required_min_rx{1};
    Interval desired_min_tx{};
    std::uint8_t detect_multiplier = 0;
  };

  [[nodiscard]] bool heard() const { return remote_.discriminator != 0; }
  [[nodiscard]] Time dead_at() const;
  [[nodiscard]] Interval transmit_interval() const;
  [[nodiscard]] Packet packet() const;
  Packet send(Time now);
  [[nodiscard]] Packet answer_poll() const;
  StateChange enter(State state, Diagnostic diagnostic);
  void advertise();
  void end_poll();
  void schedule(Time now);
  void keep_up_with_interval(Time now);

  Discriminators discriminators_;
  Random random_;
  std::uint32_t discriminator_;
  Timers wanted_;
  State state_ = State::kDown;
  Diagnostic diagnostic_ = Diagnostic::kNone;
  Remote remote_;
  Intervals advertised_;            // what our packets say
  Intervals in_force_;              // what we do: differs while a poll is on
  bool poll_ = false;               // ours, not answered
  Time sent_{};                     // last packet but for answers to polls
  Interval interval_{};             // by which the next one was scheduled; 0: by none
  Time transmit_at_{};              // the latest; Time::max(): never
  Time transmit_from_{};            // the earliest
  Time heard_at_{};                 // the last packet of the peer
  Interval last_detection_time_{};  // of a peer that is not heard any more
};

}  // namespace holdfast::bfd
