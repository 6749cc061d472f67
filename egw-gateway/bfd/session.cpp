#include "egw-gateway/bfd/session.h"

#include <algorithm>
#include <string>
#include <utility>

namespace holdfast::bfd {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;

constexpr nanoseconds kNever = nanoseconds::max();
constexpr microseconds kShortestInterval{1000};

// RFC 5880 section 6.8.7: a packet comes after 75..100 % of the interval, with a multiplier of 1 after 75..90
// %. The lot decides all but the first 5 %, by which packets of other sessions may hasten it.
constexpr unsigned kLeastPercent = 80;
constexpr unsigned kMostPercent = 100;
constexpr unsigned kMostPercentOfOne = 90;
constexpr int kCompanyPart = 20;

Status check_interval(microseconds interval, const char* name) {
  if (interval >= kShortestInterval && interval <= kLongestInterval) return {};
  return fail(Code::kInvalidArgument, std::string("BFD ") + name + " must be 1000.." +
                                          std::to_string(kLongestInterval.count()) + " us, is " +
                                          std::to_string(interval.count()));
}

/// A share of `interval` between the two percentages, evenly.
nanoseconds part_of(nanoseconds interval, unsigned least, unsigned most, std::uint32_t lot) {
  const nanoseconds room = interval / 100 * (most - least);
  // in thousandths: finer than any clock here wakes us
  return interval / 100 * least + room / 1000 * static_cast<int>(lot % 1001);
}

}  // namespace

Status check(const Timers& timers) {
  HOLDFAST_CHECK(check_interval(timers.desired_min_tx, "desired-min-tx"));
  HOLDFAST_CHECK(check_interval(timers.required_min_rx, "required-min-rx"));
  if (timers.detect_multiplier == 0) {
    return fail(Code::kInvalidArgument, "BFD detect-multiplier must be 1..255, is 0");
  }
  return {};
}

State next_state(State local, State remote) {
  if (local == State::kAdminDown) return State::kAdminDown;
  if (remote == State::kAdminDown) return State::kDown;
  switch (local) {
    case State::kDown:
      if (remote == State::kDown) return State::kInit;
      return remote == State::kInit ? State::kUp : State::kDown;
    case State::kInit:
      return remote == State::kDown ? State::kInit : State::kUp;
    default:
      return remote == State::kDown ? State::kDown : State::kUp;
  }
}

Session::Session(Discriminators discriminators, Timers timers, Random random, Time now)
    : discriminators_(std::move(discriminators)),
      random_(std::move(random)),
      discriminator_(discriminators_()),
      wanted_(timers),
      transmit_at_(now),
      transmit_from_(now) {
  advertise();
  interval_ = transmit_interval();
}

Actions Session::received(const Packet& packet, Time now) {
  remote_ = {packet.my_discriminator, packet.state,          packet.diagnostic,
             packet.required_min_rx,  packet.desired_min_tx, packet.detect_multiplier};
  heard_at_ = now;
  if (packet.final && poll_) end_poll();
  Actions out;
  if (state_ != State::kAdminDown) {
    if (const State next = next_state(state_, packet.state); next != state_) {
      const bool told = next == State::kDown;
      out.change = enter(next, told ? Diagnostic::kNeighborSignaledDown : diagnostic_);
    }
    if (packet.poll) out.send = answer_poll();
    if (out.change && !out.send) out.send = send(now);
  }
  keep_up_with_interval(now);
  return out;
}

nanoseconds Session::next_due() const { return std::min(transmit_at_, dead_at()); }

bool Session::may_act(Time now) const { return now >= std::min(transmit_from_, dead_at()); }

Actions Session::due(Time now) {
  Actions out;
  if (now >= dead_at()) {
    const bool was_alive = state_ == State::kInit || state_ == State::kUp;
    const Diagnostic remote_diagnostic = remote_.diagnostic;
    last_detection_time_ = detection_time();
    remote_ = {};
    discriminator_ = discriminators_();
    poll_ = false;
    if (was_alive) {
      out.change = enter(State::kDown, Diagnostic::kDetectionTimeExpired);
      out.change->remote_diagnostic = remote_diagnostic;
    }
    keep_up_with_interval(now);
  }
  if (out.change || now >= transmit_from_) out.send = send(now);
  return out;
}

Actions Session::set_admin_down(bool down, Time now, Diagnostic why) {
  if (down == (state_ == State::kAdminDown)) return {};
  Actions out;
  out.change = enter(down ? State::kAdminDown : State::kDown, down ? why : Diagnostic::kNone);
  out.send = send(now);
  return out;
}

void Session::set_timers(const Timers& timers, Time now) {
  wanted_ = timers;
  advertise();
  keep_up_with_interval(now);
}

SessionState Session::state() const {
  return {state_,         diagnostic_,           remote_.state,       remote_.diagnostic,
          discriminator_, remote_.discriminator, transmit_interval(), detection_time()};
}

nanoseconds Session::dead_at() const { return heard() ? heard_at_ + detection_time() : kNever; }

microseconds Session::detection_time() const {
  if (!heard()) return {};
  return remote_.detect_multiplier * std::max(in_force_.rx, remote_.desired_min_tx);
}

microseconds Session::forgets_after() const {
  return 2 * (heard() ? detection_time() : last_detection_time_);
}

/// RFC 5880 sections 6.8.2 and 6.8.7; 0: the peer asks for no periodic packets.
microseconds Session::transmit_interval() const {
  if (remote_.required_min_rx.count() == 0) return {};
  return std::max(in_force_.tx, remote_.required_min_rx);
}

Packet Session::packet() const {
  Packet out;
  out.state = state_;
  out.diagnostic = diagnostic_;
  out.poll = poll_;
  out.detect_multiplier = wanted_.detect_multiplier;
  out.my_discriminator = discriminator_;
  out.your_discriminator = remote_.discriminator;
  out.desired_min_tx = advertised_.tx;
  out.required_min_rx = advertised_.rx;
  return out;
}

Packet Session::send(Time now) {
  sent_ = now;
  schedule(now);
  return packet();
}

/// It goes out beside the periodic packets, and may not ask in its turn.
Packet Session::answer_poll() const {
  Packet out = packet();
  out.poll = false;
  out.final = true;
  return out;
}

StateChange Session::enter(State state, Diagnostic diagnostic) {
  const State from = std::exchange(state_, state);
  diagnostic_ = state == State::kUp ? Diagnostic::kNone : diagnostic;
  poll_ = false;
  if (state_ != State::kUp) in_force_ = advertised_;  // no answer will come
  advertise();
  return {from, state_, diagnostic_, remote_.diagnostic};
}

/// Brings what our packets say up to what is wanted in this state; the peer confirms it by a poll sequence.
/// With a session that is up one poll follows the other, since an answer does not tell which one it is to,
/// and what the peer cannot know of waits for it: RFC 5880 section 6.8.3.
void Session::advertise() {
  const bool up = state_ == State::kUp;
  const Intervals now{up ? wanted_.desired_min_tx : std::max(wanted_.desired_min_tx, kSlowInterval),
                      wanted_.required_min_rx};
  if (now == advertised_ || (up && poll_)) return;
  advertised_ = now;
  poll_ = heard();
  if (up && poll_) {
    in_force_ = {std::min(in_force_.tx, now.tx), std::max(in_force_.rx, now.rx)};
  } else {
    in_force_ = now;
  }
}

void Session::end_poll() {
  poll_ = false;
  in_force_ = advertised_;
  advertise();
}

/// The next periodic packet, reckoned from `sent_`.
void Session::schedule(Time now) {
  interval_ = transmit_interval();
  if (interval_.count() == 0) {
    transmit_at_ = transmit_from_ = kNever;
    return;
  }
  const bool one = wanted_.detect_multiplier == 1;
  const Time wait = part_of(interval_, kLeastPercent, one ? kMostPercentOfOne : kMostPercent, random_());
  transmit_at_ = std::max(now, sent_ + wait);
  transmit_from_ = std::max(now, sent_ + wait - Time(interval_) / kCompanyPart);
}

/// A shorter interval counts at once, a longer one from the next packet on: RFC 5880 section 6.8.3.
void Session::keep_up_with_interval(Time now) {
  const Interval interval = transmit_interval();
  const bool none = interval.count() == 0;
  if (none || interval_.count() == 0 ? interval != interval_ : interval < interval_) schedule(now);
}

}  // namespace holdfast::bfd
