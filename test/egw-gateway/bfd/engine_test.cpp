#include "egw-gateway/bfd/engine.h"

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "test/catch.h"
#include "test/egw-gateway/bfd/fake_network.h"
#include "test/fakes/fake_clock.h"

namespace holdfast::bfd {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using test::FakeTransport;

IpAddress ip(const std::string& text) { return IpAddress::parse(text).value(); }

const Keys kKeys{{1, "secret"}, {}};

/// A machine with an engine, and what that told.
struct Node {
  Node(EventLoop& loop, test::FakeNetwork& network, const std::vector<IpAddress>& addresses, unsigned seed)
      : transport(network, addresses),
        engine(
            loop, transport, [this] { return static_cast<std::uint32_t>(lots()); },
            [this](SessionId id, const StateChange& change) {
              changes.push_back(change);
              if (changed) changed(id, change);
            }),
        lots(seed) {}

  State state(SessionId id) const { return engine.find(id).value().state.state; }
  std::uint32_t discriminator(SessionId id) const { return engine.find(id).value().state.discriminator; }
  std::uint64_t refused(Refusal refusal) const {
    return engine.counters().refused.at(static_cast<std::size_t>(refusal));
  }

  FakeTransport transport;
  Engine engine;
  std::mt19937 lots;
  std::vector<StateChange> changes;
  std::function<void(SessionId, const StateChange&)> changed;
};

struct Pair {
  SessionConfig at_left() const {
    SessionConfig out;
    out.path = {Hops::kMulti, ip("10.0.0.1"), ip("10.0.0.2"), 0};
    return out;
  }
  SessionConfig at_right() const {
    SessionConfig out = at_left();
    std::swap(out.path.local, out.path.peer);
    return out;
  }
  void run(milliseconds time) {
    for (milliseconds passed{}; passed < time; ++passed) {
      clock.advance(milliseconds(1));
      turn();
    }
  }
  void turn() {
    for (int n = 0; n < 4; ++n) REQUIRE(loop->turn().has_value());
  }
  void connect(const SessionConfig& one, const SessionConfig& other) {
    left_id = left.engine.add(one).value();
    right_id = right->engine.add(other).value();
    run(seconds(3));
  }
  std::unique_ptr<Node> new_right(unsigned seed) {
    return std::make_unique<Node>(*loop, network, std::vector{ip("10.0.0.2"), ip("fd00::2")}, seed);
  }

  holdfast::test::FakeClock clock;
  std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();
  test::FakeNetwork network{*loop};
  Node left{*loop, network, {ip("10.0.0.1"), ip("10.0.0.9"), ip("fd00::1")}, 1};
  std::unique_ptr<Node> right = new_right(2);
  SessionId left_id = 0;
  SessionId right_id = 0;
};

TEST_CASE_METHOD(Pair, "two engines come up, and tell each change once", "[bfd]") {
  connect(at_left(), at_right());
  CHECK(left.state(left_id) == State::kUp);
  CHECK(right->state(right_id) == State::kUp);
  for (const Node* node : {&left, right.get()}) {
    REQUIRE_FALSE(node->changes.empty());
    CHECK(node->changes.front().from == State::kDown);
    CHECK(node->changes.back().to == State::kUp);
    for (std::size_t n = 1; n < node->changes.size(); ++n) {
      CHECK(node->changes[n].from == node->changes[n - 1].to);
    }
  }
  const SessionView view = left.engine.find(left_id).value();
  CHECK(view.state.remote_discriminator == right->discriminator(right_id));
  CHECK(view.sent > 20);
  CHECK(view.received > 20);
  CHECK(left.engine.counters().sent == view.sent);
  CHECK(left.engine.sessions().size() == 1);
}

TEST_CASE_METHOD(Pair, "a path that is cut in one direction is down at both ends within the detection time",
                 "[bfd]") {
  connect(at_left(), at_right());
  const std::size_t told = left.changes.size();
  network.loses = [](const Outgoing& packet) { return packet.path.local == ip("10.0.0.1"); };
  run(milliseconds(300));
  CHECK(right->changes.back().diagnostic == Diagnostic::kDetectionTimeExpired);
  // what the right end sends as it sees this still comes
  REQUIRE(left.changes.size() > told);
  CHECK(left.changes[told] == StateChange{State::kUp, State::kDown, Diagnostic::kNeighborSignaledDown,
                                          Diagnostic::kDetectionTimeExpired});
  run(seconds(5));
  CHECK(right->state(right_id) == State::kDown);
  CHECK(left.state(left_id) != State::kUp);
  network.loses = [](const Outgoing&) { return false; };
  run(seconds(3));
  CHECK(left.state(left_id) == State::kUp);
  CHECK(right->state(right_id) == State::kUp);
}

TEST_CASE_METHOD(Pair, "an end that begins anew is up again, with authentication and without", "[bfd]") {
  SessionConfig one = at_left();
  SessionConfig other = at_right();
  SECTION("without") {}
  SECTION("with") { one.keys = other.keys = kKeys; }
  connect(one, other);
  REQUIRE(left.state(left_id) == State::kUp);
  right.reset();
  right = new_right(3);
  right_id = right->engine.add(other).value();
  run(seconds(5));
  CHECK(right->state(right_id) == State::kUp);
  CHECK(left.state(left_id) == State::kUp);
  CHECK(left.engine.find(left_id).value().state.remote_discriminator == right->discriminator(right_id));
}

TEST_CASE_METHOD(Pair, "a loop that was held up reads what came before it finds anybody dead", "[bfd]") {
  connect(at_left(), at_right());
  const std::size_t told = left.changes.size();
  network.loses = [](const Outgoing&) { return true; };  // the other end was held up as well
  Packet alive;
  alive.state = State::kUp;
  alive.my_discriminator = right->discriminator(right_id);
  alive.your_discriminator = left.discriminator(left_id);
  alive.desired_min_tx = alive.required_min_rx = milliseconds(100);
  clock.advance(seconds(1));
  left.transport.put({at_right().path, encode(alive)});
  REQUIRE(loop->turn().has_value());
  CHECK(left.changes.size() == told);
  CHECK(left.state(left_id) == State::kUp);
}

TEST_CASE_METHOD(Pair, "a removed session tells its peer, which is down at once", "[bfd]") {
  connect(at_left(), at_right());
  REQUIRE(left.engine.remove(left_id).has_value());
  turn();
  CHECK(right->changes.back() == StateChange{State::kUp, State::kDown, Diagnostic::kNeighborSignaledDown,
                                             Diagnostic::kAdministrativelyDown});
  CHECK(left.engine.sessions().empty());
  CHECK(left.engine.remove(left_id).error().code == Code::kNotFound);
  CHECK(left.engine.find(left_id).error().code == Code::kNotFound);
  run(seconds(2));
  CHECK(left.refused(Refusal::kNoSession) > 0);
  left_id = left.engine.add(at_left()).value();
  run(seconds(3));
  CHECK(right->state(right_id) == State::kUp);
}

TEST_CASE_METHOD(Pair, "a session may begin administratively down, and be let up", "[bfd]") {
  SessionConfig config = at_left();
  config.admin_down = true;
  connect(config, at_right());
  CHECK(left.state(left_id) == State::kAdminDown);
  CHECK(right->state(right_id) == State::kDown);
  REQUIRE(left.engine.set_admin_down(left_id, false).has_value());
  run(seconds(3));
  CHECK(right->state(right_id) == State::kUp);
  REQUIRE(left.engine.set_admin_down(left_id, true, Diagnostic::kConcatenatedPathDown).has_value());
  turn();
  CHECK(right->changes.back().remote_diagnostic == Diagnostic::kConcatenatedPathDown);
  CHECK(left.engine.set_admin_down(12345, true).error().code == Code::kNotFound);
}

TEST_CASE_METHOD(Pair, "timers that are changed are agreed upon while the session stays up", "[bfd]") {
  connect(at_left(), at_right());
  const std::size_t told = left.changes.size() + right->changes.size();
  REQUIRE(left.engine.set_timers(left_id, {milliseconds(20), milliseconds(30), 5}).has_value());
  REQUIRE(right->engine.set_timers(right_id, {milliseconds(40), milliseconds(10), 4}).has_value());
  run(seconds(2));
  const SessionState one = left.engine.find(left_id).value().state;
  const SessionState other = right->engine.find(right_id).value().state;
  CHECK(one.transmit_interval == milliseconds(20));
  CHECK(one.detection_time == 4 * milliseconds(40));
  CHECK(other.transmit_interval == milliseconds(40));
  CHECK(other.detection_time == 5 * milliseconds(20));
  REQUIRE(left.engine.set_timers(left_id, {seconds(1), seconds(1), 3}).has_value());
  run(seconds(5));
  CHECK(right->engine.find(right_id).value().state.detection_time == seconds(3));
  CHECK(left.changes.size() + right->changes.size() == told);
  CHECK(left.engine.set_timers(left_id, {milliseconds(0), seconds(1), 3}).error().code ==
        Code::kInvalidArgument);
  CHECK(left.engine.set_timers(12345, {}).error().code == Code::kNotFound);
}

TEST_CASE_METHOD(Pair, "ends with other keys, or one without, never come up, and it is counted why",
                 "[bfd]") {
  struct Case {
    const char* name;
    std::optional<Keys> left;
    std::optional<Keys> right;
    Refusal at_left;
    Refusal at_right;
  };
  const Case cases[] = {
      {"another secret", kKeys, Keys{{1, "other"}, {}}, Refusal::kDigest, Refusal::kDigest},
      {"another id", kKeys, Keys{{2, "secret"}, {}}, Refusal::kKey, Refusal::kKey},
      {"none at the other end", kKeys, {}, Refusal::kNotAuthenticated, Refusal::kUnexpectedAuthentication},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      SessionConfig one = at_left();
      one.keys = c.left;
      SessionConfig other = at_right();
      other.keys = c.right;
      connect(one, other);
      CHECK(left.changes.empty());
      CHECK(right->changes.empty());
      CHECK(left.refused(c.at_left) > 1);
      CHECK(right->refused(c.at_right) > 1);
      CHECK(left.engine.find(left_id).value().refused == left.refused(c.at_left));
    }
  }
}

TEST_CASE_METHOD(Pair, "what a dead peer said is not taken for life when it is played back", "[bfd]") {
  SessionConfig one = at_left();
  SessionConfig other = at_right();
  one.keys = other.keys = kKeys;
  connect(one, other);
  run(seconds(2));
  const std::vector<Outgoing> tape = right->transport.sent;
  REQUIRE(left.state(left_id) == State::kUp);
  right.reset();
  run(seconds(10));
  REQUIRE(left.state(left_id) == State::kDown);
  const std::size_t told = left.changes.size();
  for (int again = 0; again < 3; ++again) {
    for (const Outgoing& packet : tape) {
      left.transport.put(packet);
      run(milliseconds(90));
    }
    run(seconds(2));
  }
  for (std::size_t n = told; n < left.changes.size(); ++n) CHECK(left.changes[n].to != State::kUp);
  CHECK(left.refused(Refusal::kNoSession) > 20);
}

TEST_CASE_METHOD(Pair, "a recorded Down that is sent without end does not lock the peer out", "[bfd]") {
  SessionConfig one = at_left();
  SessionConfig other = at_right();
  one.keys = other.keys = kKeys;
  left_id = left.engine.add(one).value();
  right_id = right->engine.add(other).value();
  run(milliseconds(2));
  const Outgoing recorded = right->transport.sent.at(0);
  run(seconds(3));
  right.reset();
  run(seconds(10));
  right = new_right(7);
  right_id = right->engine.add(other).value();
  bool up = false;
  for (int n = 0; n < 2000 && !up; ++n) {
    left.transport.put(recorded);
    run(milliseconds(10));
    up = left.state(left_id) == State::kUp;
  }
  CHECK(up);
  CHECK(right->state(right_id) == State::kUp);
}

TEST_CASE_METHOD(Pair, "keys are exchanged for others while the session stays up", "[bfd]") {
  SessionConfig one = at_left();
  SessionConfig other = at_right();
  one.keys = other.keys = kKeys;
  connect(one, other);
  const std::size_t told = left.changes.size() + right->changes.size();
  const Key fresh{2, "fresh"};
  for (const Keys& keys : {Keys{kKeys.send, {fresh}}, Keys{fresh, {kKeys.send}}, Keys{fresh, {}}}) {
    REQUIRE(left.engine.set_keys(left_id, keys).has_value());
    run(milliseconds(350));
    REQUIRE(right->engine.set_keys(right_id, keys).has_value());
    run(milliseconds(350));
  }
  CHECK(left.changes.size() + right->changes.size() == told);
  CHECK(left.engine.find(left_id).value().refused == 0);
  CHECK(right->engine.find(right_id).value().refused == 0);
  CHECK(left.engine.set_keys(left_id, {{1, ""}, {}}).error().code == Code::kInvalidArgument);
}

TEST_CASE_METHOD(Pair, "a packet that is not by its session's way is refused, whatever it says", "[bfd]") {
  SessionConfig config = at_left();
  config.path.interface = 1;
  left_id = left.engine.add(config).value();
  Packet packet;
  packet.my_discriminator = 77;
  packet.your_discriminator = left.discriminator(left_id);
  const Path way = at_right().path;
  SECTION("from another address") {
    left.transport.put({{Hops::kMulti, ip("10.0.0.3"), way.peer, 0}, encode(packet)});
    turn();
    CHECK(left.refused(Refusal::kAddress) == 1);
  }
  SECTION("to another address") {
    left.transport.put({{Hops::kMulti, way.local, ip("10.0.0.9"), 0}, encode(packet)});
    turn();
    CHECK(left.refused(Refusal::kAddress) == 1);
  }
  SECTION("to the other port") {
    left.transport.put({{Hops::kSingle, way.local, way.peer, 0}, encode(packet)});
    turn();
    CHECK(left.refused(Refusal::kAddress) == 1);
  }
  SECTION("by another interface") {
    left.transport.interface = 2;
    left.transport.put({way, encode(packet)});
    turn();
    CHECK(left.refused(Refusal::kAddress) == 1);
  }
  SECTION("with a discriminator that nobody has") {
    ++packet.your_discriminator;
    left.transport.put({way, encode(packet)});
    turn();
    CHECK(left.refused(Refusal::kNoSession) == 1);
  }
  SECTION("without one, from somebody unknown") {
    packet.your_discriminator = 0;
    left.transport.put({{Hops::kMulti, ip("10.0.0.3"), way.peer, 0}, encode(packet)});
    turn();
    CHECK(left.refused(Refusal::kNoSession) == 1);
  }
  SECTION("not a packet at all") {
    WirePacket rubbish = encode(packet);
    rubbish.size = 23;
    left.transport.put({way, rubbish});
    turn();
    CHECK(left.refused(Refusal::kSize) == 1);
  }
  CHECK(left.engine.counters().received == 0);
  CHECK(left.state(left_id) == State::kDown);
}

TEST_CASE_METHOD(Pair, "what came over more hops than are allowed is refused", "[bfd]") {
  SessionConfig one = at_left();
  SessionConfig other = at_right();
  SECTION("over a single hop there is none") {
    one.path.hops = other.path.hops = Hops::kSingle;
    network.ttl = 254;
    connect(one, other);
    CHECK(left.refused(Refusal::kHopLimit) > 0);
    CHECK(left.state(left_id) == State::kDown);
    network.ttl = 255;
  }
  SECTION("over several there are as many as it says") {
    one.least_ttl = 253;
    network.ttl = 252;
    connect(one, other);
    CHECK(left.refused(Refusal::kHopLimit) > 0);
    CHECK(left.state(left_id) == State::kDown);
    network.ttl = 253;
  }
  run(seconds(3));
  CHECK(left.state(left_id) == State::kUp);
}

TEST_CASE_METHOD(Pair, "who is told of a change may change and remove sessions", "[bfd]") {
  SessionConfig second = at_left();
  second.path = {Hops::kSingle, ip("fd00::1"), ip("fd00::2"), 0};
  SessionConfig second_there = second;
  std::swap(second_there.path.local, second_there.path.peer);
  const SessionId other = left.engine.add(second).value();
  const SessionId other_there = right->engine.add(second_there).value();
  connect(at_left(), at_right());
  REQUIRE(left.state(other) == State::kUp);
  // as a gateway does whose uplink died: it tells those behind it so
  bool removed = false;
  left.changed = [&](SessionId id, const StateChange& change) {
    if (id == left_id && change.to == State::kDown) {
      CHECK(left.engine.set_admin_down(other, true).has_value());
      CHECK(left.engine.remove(left_id).has_value());
      removed = true;
    }
  };
  REQUIRE(right->engine.set_admin_down(right_id, true).has_value());
  turn();
  CHECK(removed);
  CHECK(right->state(other_there) == State::kDown);
  CHECK(left.engine.sessions().size() == 1);
}

TEST_CASE_METHOD(Pair, "nothing is told from within a call, and nothing of a session that is gone", "[bfd]") {
  connect(at_left(), at_right());
  const std::size_t told = left.changes.size();
  REQUIRE(left.engine.set_admin_down(left_id, true).has_value());
  CHECK(left.changes.size() == told);
  turn();
  CHECK(left.changes.size() == told + 1);
  REQUIRE(left.engine.set_admin_down(left_id, false).has_value());
  REQUIRE(left.engine.remove(left_id).has_value());
  turn();
  CHECK(left.changes.size() == told + 1);
}

TEST_CASE_METHOD(Pair, "packets of many sessions go out together", "[bfd]") {
  constexpr int kSessions = 100;
  for (int n = 1; n <= kSessions; ++n) {
    SessionConfig config = at_left();
    config.path.peer = IpAddress::v4({10, 0, 1, static_cast<std::uint8_t>(n)});
    const SessionId id = left.engine.add(config).value();
    Packet packet;
    packet.state = State::kInit;
    packet.my_discriminator = 1;
    packet.your_discriminator = left.discriminator(id);
    packet.desired_min_tx = seconds(100);
    packet.required_min_rx = milliseconds(100);
    left.transport.put({{Hops::kMulti, config.path.peer, config.path.local, 0}, encode(packet)});
  }
  run(seconds(1));
  const int calls = left.transport.send_calls;
  const std::size_t sent = left.transport.sent.size();
  run(seconds(10));
  const auto packets = static_cast<int>(left.transport.sent.size() - sent);
  CHECK(packets >= kSessions * 100);
  CHECK(packets <= kSessions * 134);  // an interval is never under 75 ms
  CHECK(left.transport.send_calls - calls <= 2500);
}

TEST_CASE_METHOD(Pair, "a session that cannot be is refused, and it is told why", "[bfd]") {
  const auto error = [&](const auto& change) {
    SessionConfig config = at_left();
    change(config);
    const auto added = left.engine.add(config);
    return added ? std::string() : added.error().message;
  };
  CHECK(error([](SessionConfig& c) { c.path.peer = ip("fd00::2"); }) ==
        "BFD session 10.0.0.1 - fd00::2: its ends are of two address families");
  CHECK(error([](SessionConfig& c) { c.path.local = ip("0.0.0.0"); }) ==
        "BFD session 0.0.0.0 - 10.0.0.2: an end without address");
  CHECK(error([](SessionConfig& c) {
          c.path.local = ip("fe80::1");
          c.path.peer = ip("fe80::2");
        }) == "BFD session fe80::1 - fe80::2: a link-local peer needs an interface");
  CHECK(error([](SessionConfig& c) { c.timers.detect_multiplier = 0; }) ==
        "BFD detect-multiplier must be 1..255, is 0");
  CHECK(error([](SessionConfig& c) {
          c.keys = Keys{{9, ""}, {}};
        }) == "BFD key 9 must have 1..20 bytes, has 0");
  CHECK(error([](SessionConfig&) {}).empty());
  CHECK(error([](SessionConfig&) {}) == "there is a BFD session 10.0.0.1 - 10.0.0.2");
  left.transport.refuses = true;
  CHECK(error([](SessionConfig& c) { c.path.hops = Hops::kSingle; }) == "the port is taken");
  CHECK(left.engine.sessions().size() == 1);
}

TEST_CASE_METHOD(Pair, "a peer that nobody added may begin a session where the owner lets it", "[bfd]") {
  SessionConfig config = at_right();
  SessionConfig asked = at_left();
  SECTION("without authentication") {}
  SECTION("with authentication") { config.keys = asked.keys = kKeys; }
  REQUIRE(right->transport.open(Hops::kMulti, IpFamily::kV4).has_value());
  std::vector<Path> strangers;
  right->engine.on_stranger([&](const Path& path) {
    strangers.push_back(path);
    return std::optional(config);
  });
  left_id = left.engine.add(asked).value();
  run(seconds(3));
  CHECK(left.state(left_id) == State::kUp);
  REQUIRE(right->engine.sessions().size() == 1);
  CHECK(right->engine.sessions().front().state.state == State::kUp);
  CHECK(right->engine.sessions().front().path == config.path);
  REQUIRE(strangers.size() == 1);
  CHECK(strangers.front().peer == ip("10.0.0.1"));
}

TEST_CASE_METHOD(
    Pair, "a peer that the owner does not let begin, or that cannot prove itself, leaves nothing behind",
    "[bfd]") {
  REQUIRE(right->transport.open(Hops::kMulti, IpFamily::kV4).has_value());
  std::optional<SessionConfig> answer;
  auto refusal = Refusal::kNoSession;
  SECTION("not let") {}
  SECTION("with another key") {
    answer = at_right();
    answer->keys = Keys{{1, "another"}, {}};
    refusal = Refusal::kDigest;
  }
  SECTION("the other way round than its packets say") {
    answer = at_right();
    answer->path.peer = ip("10.0.0.9");
    refusal = Refusal::kAddress;
  }
  right->engine.on_stranger([&](const Path&) { return answer; });
  SessionConfig asked = at_left();
  asked.keys = kKeys;
  left_id = left.engine.add(asked).value();
  run(seconds(3));
  CHECK(left.state(left_id) == State::kDown);
  CHECK(right->engine.sessions().empty());
  CHECK(right->changes.empty());
  CHECK(right->refused(refusal) >= 3);
}

}  // namespace
}  // namespace holdfast::bfd
