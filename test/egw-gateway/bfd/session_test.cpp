#include "egw-gateway/bfd/session.h"

#include <algorithm>
#include <string>
#include <vector>

#include "test/catch.h"

namespace holdfast::bfd {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr std::uint32_t kOurs = 0x1111;
constexpr std::uint32_t kTheirs = 0x2222;
constexpr Timers kFast{milliseconds(100), milliseconds(100), 3};

/// A session, its time, and packets as a peer with 100 ms x 3 sends them.
struct Bench {
  explicit Bench(Timers timers = kFast)
      : session([this] { return discriminator++; }, timers, [this] { return lot; }, now) {}

  Packet packet(State state) const {
    Packet out;
    out.state = state;
    out.detect_multiplier = 3;
    out.my_discriminator = kTheirs;
    out.your_discriminator = kOurs;
    out.desired_min_tx = milliseconds(100);
    out.required_min_rx = milliseconds(100);
    return out;
  }
  Actions hear(State state) { return session.received(packet(state), now); }
  Actions hear(const Packet& packet) { return session.received(packet, now); }
  /// Until just before `state` would be kept up by nothing.
  void bring_to(State state) {
    switch (state) {
      case State::kAdminDown:
        session.set_admin_down(true, now);
        break;
      case State::kDown:
        break;
      case State::kInit:
        hear(State::kDown);
        break;
      case State::kUp:
        hear(State::kInit);
        break;
    }
    REQUIRE(session.state().state == state);
  }
  /// Up, and with the poll that this begins answered.
  void bring_up() {
    bring_to(State::kUp);
    Packet answer = packet(State::kUp);
    answer.final = true;
    hear(answer);
  }
  /// Moves on to the next thing that is due, and does it.
  Actions next() {
    now = session.next_due();
    return session.due(now);
  }

  nanoseconds now = std::chrono::hours(1);
  std::uint32_t discriminator = kOurs;  // the next one
  std::uint32_t lot = 0;
  Session session;
};

TEST_CASE("every row of the table of states", "[bfd]") {
  struct Row {
    State local;
    State remote;
    State next;
    Diagnostic diagnostic;
  };
  using S = State;
  using D = Diagnostic;
  const Row rows[] = {
      {S::kAdminDown, S::kAdminDown, S::kAdminDown, D::kAdministrativelyDown},
      {S::kAdminDown, S::kDown, S::kAdminDown, D::kAdministrativelyDown},
      {S::kAdminDown, S::kInit, S::kAdminDown, D::kAdministrativelyDown},
      {S::kAdminDown, S::kUp, S::kAdminDown, D::kAdministrativelyDown},
      {S::kDown, S::kAdminDown, S::kDown, D::kNone},
      {S::kDown, S::kDown, S::kInit, D::kNone},
      {S::kDown, S::kInit, S::kUp, D::kNone},
      {S::kDown, S::kUp, S::kDown, D::kNone},
      {S::kInit, S::kAdminDown, S::kDown, D::kNeighborSignaledDown},
      {S::kInit, S::kDown, S::kInit, D::kNone},
      {S::kInit, S::kInit, S::kUp, D::kNone},
      {S::kInit, S::kUp, S::kUp, D::kNone},
      {S::kUp, S::kAdminDown, S::kDown, D::kNeighborSignaledDown},
      {S::kUp, S::kDown, S::kDown, D::kNeighborSignaledDown},
      {S::kUp, S::kInit, S::kUp, D::kNone},
      {S::kUp, S::kUp, S::kUp, D::kNone},
  };
  for (const Row& row : rows) {
    DYNAMIC_SECTION(to_string(row.local) << " hears " << to_string(row.remote)) {
      CHECK(next_state(row.local, row.remote) == row.next);
      Bench bench;
      bench.bring_to(row.local);
      const Actions done = bench.hear(row.remote);
      CHECK(bench.session.state().state == row.next);
      CHECK(bench.session.state().diagnostic == row.diagnostic);
      REQUIRE(done.change.has_value() == (row.next != row.local));
      REQUIRE(done.send.has_value() == done.change.has_value());  // a change of state is sent at once
      if (done.change) {
        CHECK(done.change->from == row.local);
        CHECK(done.change->to == row.next);
        CHECK(done.change->diagnostic == row.diagnostic);
        CHECK(done.send->state == row.next);
        CHECK(done.send->your_discriminator == kTheirs);
      }
    }
  }
}

TEST_CASE("a session begins by sending slowly, and sends the same until it is heard", "[bfd]") {
  Bench bench;
  CHECK(bench.session.next_due() == bench.now);
  const Actions first = bench.next();
  REQUIRE(first.send.has_value());
  CHECK(first.send->state == State::kDown);
  CHECK(first.send->my_discriminator == kOurs);
  CHECK(first.send->your_discriminator == 0);
  CHECK(first.send->desired_min_tx == kSlowInterval);
  CHECK(first.send->required_min_rx == milliseconds(100));
  CHECK(first.send->required_min_echo_rx == microseconds(0));
  CHECK_FALSE(first.send->poll);
  CHECK_FALSE(first.send->demand);
  const nanoseconds sent = bench.now;
  CHECK(bench.next().send == first.send);
  CHECK(bench.now - sent == milliseconds(800));
  CHECK(bench.session.state().detection_time == microseconds(0));
}

TEST_CASE("two sessions come up, agree on their intervals by polls, and send at these", "[bfd]") {
  nanoseconds now = seconds(5);
  const Random lots = [] { return 0U; };
  Session one([] { return 1U; }, {milliseconds(100), milliseconds(50), 3}, lots, now);
  Session two([] { return 2U; }, {milliseconds(20), milliseconds(300), 5}, lots, now);
  const auto carry = [&](Session& from, Session& to, Actions actions) {
    for (Session *a = &from, *b = &to; actions.send; std::swap(a, b))
      actions = b->received(*actions.send, now);
  };
  for (int step = 0; step < 40; ++step) {
    now = std::min(one.next_due(), two.next_due());
    carry(one, two, one.due(now));
    carry(two, one, two.due(now));
  }
  const SessionState first = one.state();
  const SessionState second = two.state();
  CHECK(first.state == State::kUp);
  CHECK(second.state == State::kUp);
  CHECK(first.remote_discriminator == 2);
  CHECK(second.remote_discriminator == 1);
  CHECK(first.transmit_interval == milliseconds(300));  // the slower of what one offers and the other takes
  CHECK(second.transmit_interval == milliseconds(50));
  CHECK(first.detection_time == 5 * milliseconds(50));  // the other's multiplier
  CHECK(second.detection_time == 3 * milliseconds(300));
}

TEST_CASE("an interval is shortened by lot, never under three quarters of it", "[bfd]") {
  struct Case {
    std::uint8_t multiplier;
    microseconds longest;
  };
  for (const Case c : {Case{3, microseconds(100'000)}, Case{1, microseconds(90'000)}}) {
    Bench bench({milliseconds(100), milliseconds(100), c.multiplier});
    bench.bring_up();
    bench.next();
    nanoseconds least = seconds(1);
    nanoseconds most{};
    for (bench.lot = 0; bench.lot < 2002; ++bench.lot) {
      bench.hear(State::kUp);
      const nanoseconds sent = bench.now;
      nanoseconds earliest = sent;
      while (!bench.session.may_act(earliest)) earliest += microseconds(100);
      CHECK(earliest - sent >= milliseconds(75));
      CHECK(bench.next().send.has_value());
      least = std::min(least, bench.now - sent);
      most = std::max(most, bench.now - sent);
    }
    CHECK(least == milliseconds(80));
    CHECK(most == c.longest);
  }
}

TEST_CASE("nothing is done before its time", "[bfd]") {
  Bench bench;
  bench.bring_up();
  bench.next();
  CHECK_FALSE(bench.session.may_act(bench.now));
  const Actions early = bench.session.due(bench.now);
  CHECK_FALSE(early.send.has_value());
  CHECK_FALSE(early.change.has_value());
}

TEST_CASE("a silent peer is dead after the detection time, and it is sent at once", "[bfd]") {
  Bench bench;
  bench.bring_up();
  const nanoseconds heard = bench.now;
  CHECK(bench.session.detection_time() == milliseconds(300));
  Actions done;
  while (!done.change) {
    done = bench.next();
    REQUIRE(done.send.has_value());
  }
  CHECK(bench.now - heard == milliseconds(300));
  CHECK(*done.change ==
        StateChange{State::kUp, State::kDown, Diagnostic::kDetectionTimeExpired, Diagnostic::kNone});
  CHECK(done.send->state == State::kDown);
  CHECK(done.send->diagnostic == Diagnostic::kDetectionTimeExpired);
  CHECK(done.send->your_discriminator == 0);
  CHECK(done.send->desired_min_tx == kSlowInterval);
  CHECK_FALSE(done.send->poll);
  CHECK(bench.session.state().transmit_interval == kSlowInterval);
  CHECK(bench.session.detection_time() == microseconds(0));
  CHECK(bench.session.forgets_after() == milliseconds(600));
  const nanoseconds died = bench.now;
  CHECK_FALSE(bench.next().change.has_value());
  CHECK(bench.now - died == milliseconds(800));
}

TEST_CASE("a peer that is silent in Init is forgotten, in Down without a word", "[bfd]") {
  Bench bench;
  bench.bring_to(State::kInit);
  Actions done;
  while (!done.change) done = bench.next();
  CHECK(done.change->from == State::kInit);
  CHECK(done.change->diagnostic == Diagnostic::kDetectionTimeExpired);

  Bench down;
  down.hear(State::kUp);
  CHECK(down.session.state().remote_discriminator == kTheirs);
  for (int n = 0; n < 6; ++n) CHECK_FALSE(down.next().change.has_value());
  CHECK(down.session.state().remote_discriminator == 0);
}

TEST_CASE("a session has another discriminator when its peer was forgotten, and only then", "[bfd]") {
  Bench bench;
  bench.bring_up();
  bench.hear(State::kDown);
  bench.hear(State::kDown);
  CHECK(bench.session.discriminator() == kOurs);
  Actions done;
  while (!done.change) done = bench.next();
  CHECK(bench.session.discriminator() == kOurs + 1);
  CHECK(done.send->my_discriminator == kOurs + 1);
}

TEST_CASE("a session that goes down during a poll keeps to what it says afterwards", "[bfd]") {
  Bench bench({seconds(1), seconds(3), 3});
  bench.bring_up();
  bench.session.set_timers({seconds(1), seconds(1), 3}, bench.now);
  CHECK(bench.session.detection_time() == seconds(9));
  bench.hear(State::kDown);
  CHECK(bench.session.detection_time() == seconds(3));
  bench.hear(State::kInit);
  bench.hear(State::kUp);
  CHECK(bench.session.detection_time() == seconds(3));
}

TEST_CASE("what keeps the peer alive is any packet of it", "[bfd]") {
  Bench bench;
  bench.bring_up();
  for (int n = 0; n < 100; ++n) {
    bench.now += milliseconds(299);
    CHECK_FALSE(bench.session.due(bench.now).change.has_value());
    bench.hear(State::kUp);
  }
  bench.now += milliseconds(300);
  CHECK(bench.session.due(bench.now).change.has_value());
}

TEST_CASE("a peer that comes back as another is found down, and comes up again", "[bfd]") {
  Bench bench;
  bench.bring_up();
  Packet anew = bench.packet(State::kDown);
  anew.my_discriminator = 0x3333;
  anew.your_discriminator = 0;
  const Actions down = bench.hear(anew);
  CHECK(down.change->to == State::kDown);
  CHECK(down.send->your_discriminator == 0x3333);
  CHECK(bench.hear(anew).change->to == State::kInit);
  anew.state = State::kInit;
  CHECK(bench.hear(anew).change->to == State::kUp);
}

TEST_CASE("a poll is answered at once, without haste of the periodic packets", "[bfd]") {
  Bench bench;
  bench.bring_up();
  bench.next();
  const nanoseconds due = bench.session.next_due();
  Packet poll = bench.packet(State::kUp);
  poll.poll = true;
  const Actions done = bench.hear(poll);
  REQUIRE(done.send.has_value());
  CHECK(done.send->final);
  CHECK_FALSE(done.send->poll);
  CHECK(bench.session.next_due() == due);

  bench.session.set_admin_down(true, bench.now);
  CHECK_FALSE(bench.hear(poll).send.has_value());
}

TEST_CASE("one packet answers a poll and tells the change of state that came with it", "[bfd]") {
  Bench bench;
  Packet poll = bench.packet(State::kInit);
  poll.poll = true;
  const Actions done = bench.hear(poll);
  CHECK(done.change->to == State::kUp);
  CHECK(done.send->state == State::kUp);
  CHECK(done.send->final);
  CHECK_FALSE(done.send->poll);
}

TEST_CASE("coming up, a session polls until the peer has answered", "[bfd]") {
  Bench bench;
  const Actions up = bench.hear(State::kInit);
  CHECK(up.send->poll);
  CHECK(up.send->desired_min_tx == milliseconds(100));
  CHECK(bench.next().send->poll);
  bench.hear(State::kUp);
  CHECK(bench.next().send->poll);
  Packet answer = bench.packet(State::kUp);
  answer.final = true;
  bench.hear(answer);
  CHECK_FALSE(bench.next().send->poll);
}

TEST_CASE("slower sending and faster dying wait for the peer to know of it", "[bfd]") {
  Bench bench;
  bench.bring_up();
  bench.session.set_timers({milliseconds(400), milliseconds(50), 3}, bench.now);
  Packet peer = bench.packet(State::kUp);
  peer.desired_min_tx = milliseconds(10);
  bench.hear(peer);
  CHECK(bench.session.state().transmit_interval == milliseconds(100));
  CHECK(bench.session.detection_time() == milliseconds(300));
  const Actions poll = bench.next();
  CHECK(poll.send->poll);
  CHECK(poll.send->desired_min_tx == milliseconds(400));
  CHECK(poll.send->required_min_rx == milliseconds(50));
  peer.final = true;
  bench.hear(peer);
  CHECK(bench.session.state().transmit_interval == milliseconds(400));
  CHECK(bench.session.detection_time() == milliseconds(150));
}

TEST_CASE("faster sending and slower dying count at once", "[bfd]") {
  Bench bench;
  bench.bring_up();
  bench.next();
  bench.hear(State::kUp);
  Packet peer = bench.packet(State::kUp);
  peer.required_min_rx = milliseconds(10);
  bench.hear(peer);
  bench.session.set_timers({milliseconds(20), milliseconds(500), 4}, bench.now);
  CHECK(bench.session.state().transmit_interval == milliseconds(20));
  CHECK(bench.session.detection_time() == milliseconds(1500));
  CHECK(bench.session.next_due() - bench.now == milliseconds(16));  // not after the old interval
  const Actions sent = bench.next();
  CHECK(sent.send->poll);
  CHECK(sent.send->detect_multiplier == 4);
}

TEST_CASE("a change during a poll is polled for when that has ended", "[bfd]") {
  Bench bench;
  bench.bring_up();
  bench.session.set_timers({milliseconds(200), milliseconds(200), 3}, bench.now);
  bench.session.set_timers({milliseconds(300), milliseconds(300), 3}, bench.now);
  CHECK(bench.next().send->desired_min_tx == milliseconds(200));
  Packet answer = bench.packet(State::kUp);
  answer.final = true;
  bench.hear(answer);
  CHECK(bench.session.state().transmit_interval == milliseconds(200));
  const Actions second = bench.next();
  CHECK(second.send->poll);
  CHECK(second.send->desired_min_tx == milliseconds(300));
  bench.hear(answer);
  CHECK(bench.session.state().transmit_interval == milliseconds(300));
  bench.hear(answer);  // one that nobody asked for
  CHECK_FALSE(bench.next().send->poll);
}

TEST_CASE("the peer's wish for fewer packets counts from the next one on, for more at once", "[bfd]") {
  Bench bench;
  bench.bring_up();
  bench.next();
  const nanoseconds due = bench.session.next_due();
  Packet peer = bench.packet(State::kUp);
  peer.required_min_rx = seconds(2);
  peer.desired_min_tx = seconds(2);
  bench.hear(peer);
  CHECK(bench.session.next_due() == due);
  bench.next();
  const nanoseconds sent = bench.now;
  CHECK(bench.session.next_due() - sent == milliseconds(1600));
  bench.now += milliseconds(500);
  peer.required_min_rx = milliseconds(200);
  bench.hear(peer);
  CHECK(bench.session.next_due() == bench.now);  // the new interval has passed
}

TEST_CASE("a peer that wants no periodic packets gets none but answers and changes", "[bfd]") {
  Bench bench;
  bench.bring_up();
  Packet peer = bench.packet(State::kUp);
  peer.required_min_rx = microseconds(0);
  bench.hear(peer);
  CHECK(bench.session.next_due() == bench.now + milliseconds(300));  // only to find it dead
  peer.poll = true;
  CHECK(bench.hear(peer).send->final);
  CHECK(bench.next().send->state == State::kDown);
  CHECK(bench.session.next_due() < nanoseconds::max());  // the wish died with it
}

TEST_CASE("taken down, a session tells why and takes part in nothing until it is let", "[bfd]") {
  Bench bench;
  bench.bring_up();
  const Actions down = bench.session.set_admin_down(true, bench.now, Diagnostic::kConcatenatedPathDown);
  CHECK(*down.change ==
        StateChange{State::kUp, State::kAdminDown, Diagnostic::kConcatenatedPathDown, Diagnostic::kNone});
  CHECK(down.send->state == State::kAdminDown);
  CHECK(down.send->diagnostic == Diagnostic::kConcatenatedPathDown);
  CHECK_FALSE(bench.session.set_admin_down(true, bench.now).change.has_value());
  for (const State state : {State::kDown, State::kInit, State::kUp, State::kAdminDown}) {
    CHECK_FALSE(bench.hear(state).change.has_value());
  }
  CHECK(bench.next().send->state == State::kAdminDown);  // the first may have been lost
  const Actions again = bench.session.set_admin_down(false, bench.now);
  CHECK(again.change->to == State::kDown);
  CHECK(again.change->diagnostic == Diagnostic::kNone);
  CHECK(again.send->state == State::kDown);
  CHECK(bench.hear(State::kDown).change->to == State::kInit);
  CHECK_FALSE(bench.session.set_admin_down(false, bench.now).change.has_value());
}

TEST_CASE("what the peer tells of itself is shown", "[bfd]") {
  Bench bench;
  bench.bring_up();
  Packet down = bench.packet(State::kAdminDown);
  down.diagnostic = Diagnostic::kAdministrativelyDown;
  CHECK(bench.hear(down).change->remote_diagnostic == Diagnostic::kAdministrativelyDown);
  CHECK(bench.session.state().remote_state == State::kAdminDown);
  CHECK(bench.session.state().remote_diagnostic == Diagnostic::kAdministrativelyDown);
  CHECK(bench.session.state().diagnostic == Diagnostic::kNeighborSignaledDown);
}

TEST_CASE("timers that cannot be are refused by name", "[bfd]") {
  CHECK(check(Timers{}).has_value());
  CHECK(check(Timers{milliseconds(1), kLongestInterval, 255}).has_value());
  CHECK(check(Timers{microseconds(999), milliseconds(1), 3}).error().message ==
        "BFD desired-min-tx must be 1000..4294967295 us, is 999");
  CHECK(check(Timers{milliseconds(1), kLongestInterval + microseconds(1), 3}).error().message ==
        "BFD required-min-rx must be 1000..4294967295 us, is 4294967296");
  CHECK(check(Timers{milliseconds(1), milliseconds(1), 0}).error().message ==
        "BFD detect-multiplier must be 1..255, is 0");
}

}  // namespace
}  // namespace holdfast::bfd
