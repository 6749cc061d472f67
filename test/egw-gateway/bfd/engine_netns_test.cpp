#include <string>

#include "test/catch.h"
#include "test/egw-gateway/bfd/bfd_world.h"

namespace holdfast::bfd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::config;

const Keys kKeys{{1, "secret"}, {}};

/// An engine at each end of the link.
struct Ends : test::LiveWorld {
  void connect(const SessionConfig& one, const SessionConfig& other) {
    left_id = left_node.add(one);
    right_id = right_node.add(other);
    come_up();
  }
  void connect() {
    connect(config(Hops::kMulti, "10.0.0.1", "10.0.0.2"), config(Hops::kMulti, "10.0.0.2", "10.0.0.1"));
  }
  void come_up() {
    until([&] { return left_node.is(left_id, State::kUp) && right_node.is(right_id, State::kUp); });
  }
  static int index(int netns, const std::string& link) {
    return std::stoi(holdfast::test::output_in(netns, "ip -o link show " + link));
  }

  test::Node left_node{*loop, left()};
  test::Node right_node{*loop, right()};
  SessionId left_id = 0;
  SessionId right_id = 0;
};

TEST_CASE_METHOD(Ends, "sessions come up over one hop and several, in both families", "[bfd]") {
  struct Case {
    const char* name;
    Hops hops;
    std::string left;
    std::string right;
    bool on_interface;
  };
  const Case cases[] = {
      {"one hop, IPv4", Hops::kSingle, "10.0.0.1", "10.0.0.2", false},
      {"one hop, IPv4, on an interface", Hops::kSingle, "10.0.0.1", "10.0.0.2", true},
      {"one hop, IPv6", Hops::kSingle, "fd00::1", "fd00::2", false},
      {"one hop, link-local", Hops::kSingle, "fe80::1", "fe80::2", true},
      {"several hops, IPv4", Hops::kMulti, "10.0.0.1", "10.0.0.2", false},
      {"several hops, IPv6", Hops::kMulti, "fd00::1", "fd00::2", false},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      connect(config(c.hops, c.left, c.right, c.on_interface ? index(left(), "eth0") : 0),
              config(c.hops, c.right, c.left, c.on_interface ? index(right(), "eth0") : 0));
      CHECK(left_node.engine().counters().send_failures == 0);
      CHECK(left_node.refused(Refusal::kAddress) == 0);
    }
  }
}

TEST_CASE_METHOD(Ends, "over a router only a session of several hops comes up", "[bfd]") {
  test::Node far_node{*loop, far()};
  SessionConfig one = config(Hops::kMulti, "10.0.0.1", "10.0.1.3");
  SessionConfig other = config(Hops::kMulti, "10.0.1.3", "10.0.0.1");
  one.least_ttl = other.least_ttl = 254;
  SessionConfig one6 = config(Hops::kSingle, "fd00::1", "fd01::3");
  SessionConfig other6 = config(Hops::kSingle, "fd01::3", "fd00::1");
  const SessionId id = left_node.add(one);
  far_node.add(other);
  const SessionId id6 = left_node.add(one6);
  far_node.add(other6);
  until([&] { return left_node.is(id, State::kUp) && left_node.refused(Refusal::kHopLimit) > 1; });
  CHECK(left_node.is(id6, State::kDown));
  // nor over more of them than it says
  SessionConfig near = config(Hops::kMulti, "fd00::1", "fd01::3");
  SessionConfig there = config(Hops::kMulti, "fd01::3", "fd00::1");
  near.least_ttl = 255;
  const SessionId id_near = left_node.add(near);
  far_node.add(there);
  const std::uint64_t refused = left_node.refused(Refusal::kHopLimit);
  until([&] { return left_node.engine().find(id_near).value().refused > 0; });
  CHECK(left_node.refused(Refusal::kHopLimit) > refused);
  CHECK(left_node.is(id_near, State::kDown));
}

TEST_CASE_METHOD(Ends, "a path that is cut in one direction is found so at both ends, and found whole again",
                 "[bfd]") {
  connect();
  until([&] { return right_node.state(right_id).detection_time == milliseconds(300); });
  lose_all_to(right());
  until([&] { return !left_node.is(left_id, State::kUp) && !right_node.is(right_id, State::kUp); });
  CHECK(right_node.changes.back().diagnostic == Diagnostic::kDetectionTimeExpired);
  bool told = false;
  for (const StateChange& change : left_node.changes) {
    told = told || (change.diagnostic == Diagnostic::kNeighborSignaledDown &&
                    change.remote_diagnostic == Diagnostic::kDetectionTimeExpired);
  }
  CHECK(told);
  let_all_to(right());
  come_up();
}

TEST_CASE_METHOD(Ends, "a session that is taken down takes the peer's down, and lets it up again", "[bfd]") {
  connect();
  REQUIRE(left_node.engine().set_admin_down(left_id, true).has_value());
  until([&] { return right_node.is(right_id, State::kDown); });
  CHECK(right_node.state(right_id).remote_state == State::kAdminDown);
  turn_for(milliseconds(50));
  REQUIRE(left_node.engine().set_admin_down(left_id, false).has_value());
  come_up();
}

TEST_CASE_METHOD(Ends, "timers are changed while the session stays up", "[bfd]") {
  connect();
  const std::size_t told = left_node.changes.size() + right_node.changes.size();
  REQUIRE(left_node.engine().set_timers(left_id, {milliseconds(300), milliseconds(400), 5}).has_value());
  REQUIRE(right_node.engine().set_timers(right_id, {milliseconds(250), milliseconds(350), 4}).has_value());
  until([&] {
    return left_node.state(left_id).transmit_interval == milliseconds(350) &&
           right_node.state(right_id).transmit_interval == milliseconds(400) &&
           left_node.state(left_id).detection_time == 4 * milliseconds(400) &&
           right_node.state(right_id).detection_time == 5 * milliseconds(350);
  });
  CHECK(left_node.changes.size() + right_node.changes.size() == told);
}

TEST_CASE_METHOD(Ends, "an end that is killed comes up again with another discriminator", "[bfd]") {
  SessionConfig one = config(Hops::kMulti, "10.0.0.1", "10.0.0.2");
  SessionConfig other = config(Hops::kMulti, "10.0.0.2", "10.0.0.1");
  SECTION("without authentication") {}
  SECTION("with") { one.keys = other.keys = kKeys; }
  connect(one, other);
  const std::uint32_t before = right_node.state(right_id).discriminator;
  right_node.restart();
  right_id = right_node.add(other);
  CHECK(right_node.state(right_id).discriminator != before);
  until([&] {
    return left_node.state(left_id).remote_discriminator == right_node.state(right_id).discriminator;
  });
  come_up();
}

TEST_CASE_METHOD(Ends, "with authentication a session comes up, and one with another key does not", "[bfd]") {
  SessionConfig one = config(Hops::kMulti, "fd00::1", "fd00::2");
  SessionConfig other = config(Hops::kMulti, "fd00::2", "fd00::1");
  one.keys = other.keys = kKeys;
  connect(one, other);
  CHECK(left_node.refused(Refusal::kDigest) == 0);
  SessionConfig wrong = config(Hops::kMulti, "10.0.0.1", "10.0.0.2");
  SessionConfig right_key = config(Hops::kMulti, "10.0.0.2", "10.0.0.1");
  wrong.keys = Keys{{1, "another"}, {}};
  right_key.keys = kKeys;
  const SessionId id = left_node.add(wrong);
  right_node.add(right_key);
  until([&] { return left_node.refused(Refusal::kDigest) > 1; });
  CHECK(left_node.is(id, State::kDown));
}

TEST_CASE_METHOD(Ends, "a second daemon in one namespace is told that there is a first", "[bfd]") {
  connect();
  test::Node second{*loop, left()};
  const auto added = second.try_add(config(Hops::kMulti, "10.0.0.1", "10.0.0.2"));
  REQUIRE_FALSE(added.has_value());
  CHECK(added.error().code == Code::kFailedPrecondition);
  CHECK(added.error().message == "listen on UDP port 4784: another BFD daemon has it; stop that one");
}

TEST_CASE_METHOD(Ends, "what the kernel will not send is counted, and the session lives on when it will",
                 "[bfd]") {
  connect();
  holdfast::test::output_in(left(), "ip addr del 10.0.0.1/24 dev eth0");
  until([&] {
    return left_node.engine().counters().send_failures > 0 && right_node.is(right_id, State::kDown);
  });
  CHECK(left_node.engine().counters().last_send_errno != 0);
  holdfast::test::output_in(left(), "ip addr add 10.0.0.1/24 dev eth0");
  come_up();
}

}  // namespace
}  // namespace holdfast::bfd
