#include <string>

#include "test/catch.h"
#include "test/egw-gateway/bfd/bfd_world.h"
#include "test/egw-gateway/bfd/peer_daemons.h"

// Our engine at 10.0.0.1 (fd00::1), another program of the field at 10.0.0.2 (fd00::2).
namespace holdfast::bfd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::config;

struct Interop : test::LiveWorld {
  test::Node node{*loop, left()};

  void up(SessionId id) {
    until([&] { return node.is(id, State::kUp); });
  }
  void down(SessionId id) {
    until([&] { return !node.is(id, State::kUp); });
  }
};

/// What `protocol bfd` has: the intervals in milliseconds, and one neighbour.
std::string bird_conf(const std::string& neighbour, int least_ms, const std::string& more = "") {
  const std::string ms = std::to_string(least_ms) + " ms; ";
  const std::string timers =
      "min rx interval " + ms + "min tx interval " + ms + "idle tx interval 1 s; multiplier 3; " + more;
  return "interface \"eth0\" { " + timers + "};\nmultihop { " + timers + "};\n" + neighbour + "\n";
}

const std::string kDirect = "neighbor 10.0.0.1 dev \"eth0\" local 10.0.0.2;";
const std::string kDirect6 = "neighbor fd00::1 dev \"eth0\" local fd00::2;";
const std::string kMultihop = "neighbor 10.0.0.1 local 10.0.0.2 multihop;";
const std::string kMultihop6 = "neighbor fd00::1 local fd00::2 multihop;";
const std::string kAuthenticated = "authentication meticulous keyed sha1; password \"a secret\" { id 7; };";
const Keys kKeys{{7, "a secret"}, {}};

TEST_CASE_METHOD(
    Interop,
    "with BIRD a session comes up, over one hop and several, in both families, with keys and without",
    "[bfd]") {
  struct Case {
    const char* name;
    Hops hops;
    std::string local;
    std::string peer;
    std::string neighbour;
  };
  const Case cases[] = {
      {"one hop, IPv4", Hops::kSingle, "10.0.0.1", "10.0.0.2", kDirect},
      {"one hop, IPv6", Hops::kSingle, "fd00::1", "fd00::2", kDirect6},
      {"several hops, IPv4", Hops::kMulti, "10.0.0.1", "10.0.0.2", kMultihop},
      {"several hops, IPv6", Hops::kMulti, "fd00::1", "fd00::2", kMultihop6},
  };
  for (const Case& c : cases) {
    for (const bool keyed : {false, true}) {
      DYNAMIC_SECTION(c.name << (keyed ? ", with keys" : "")) {
        const test::Bird bird(right(), bird_conf(c.neighbour, 100, keyed ? kAuthenticated : ""));
        SessionConfig ours = config(c.hops, c.local, c.peer);
        if (keyed) ours.keys = kKeys;
        const SessionId id = node.add(ours);
        up(id);
        until([&] { return bird.state_of(c.local) == "Up"; });
        until([&] { return node.state(id).detection_time == milliseconds(300); });
        CHECK(node.state(id).transmit_interval == milliseconds(100));
      }
    }
  }
}

TEST_CASE_METHOD(Interop, "with BIRD: cut in one direction, taken down at either end, and up again",
                 "[bfd]") {
  const bool keyed = GENERATE(false, true);
  const std::string auth = keyed ? kAuthenticated : "";
  test::Bird bird(right(), bird_conf(kMultihop, 100, auth));
  SessionConfig ours = config(Hops::kMulti, "10.0.0.1", "10.0.0.2");
  if (keyed) ours.keys = kKeys;
  const SessionId id = node.add(ours);
  up(id);
  until([&] { return bird.state_of("10.0.0.1") == "Up"; });

  // it does not hear us: it tells us
  lose_all_to(right());
  until([&] { return bird.state_of("10.0.0.1") != "Up" && !node.is(id, State::kUp); });
  let_all_to(right());
  up(id);
  // we do not hear it
  const std::size_t told = node.changes.size();
  lose_all_to(left());
  down(id);
  CHECK(node.changes.at(told).diagnostic == Diagnostic::kDetectionTimeExpired);
  let_all_to(left());
  up(id);
  // taken down here
  REQUIRE(node.engine().set_admin_down(id, true).has_value());
  until([&] { return bird.state_of("10.0.0.1") == "Down"; });
  REQUIRE(node.engine().set_admin_down(id, false).has_value());
  up(id);
  // and there
  static_cast<void>(bird.command("disable bfd1"));
  down(id);
  static_cast<void>(bird.command("enable bfd1"));
  up(id);
  until([&] { return bird.state_of("10.0.0.1") == "Up"; });
}

TEST_CASE_METHOD(Interop, "with BIRD timers are changed at both ends while the session stays up", "[bfd]") {
  test::Bird bird(right(), bird_conf(kDirect, 100));
  const SessionId id = node.add(config(Hops::kSingle, "10.0.0.1", "10.0.0.2"));
  up(id);
  until([&] { return node.state(id).detection_time == milliseconds(300); });
  const std::size_t told = node.changes.size();
  REQUIRE(node.engine().set_timers(id, {milliseconds(50), milliseconds(400), 5}).has_value());
  until([&] { return node.state(id).detection_time == 3 * milliseconds(400); });
  CHECK(node.state(id).transmit_interval == milliseconds(100));
  until([&] { return bird.command("show bfd sessions").find("0.400") != std::string::npos; });
  CHECK(bird.command("show bfd sessions").find("0.500") !=
        std::string::npos);  // its timeout: 5 of our 100 ms
  bird.configure(bird_conf(kDirect, 700));
  until([&] { return node.state(id).transmit_interval == milliseconds(700); });
  until([&] { return node.state(id).detection_time == 3 * milliseconds(700); });
  bird.configure(bird_conf(kDirect, 20));
  until([&] { return node.state(id).transmit_interval == milliseconds(50); });
  turn_for(milliseconds(500));
  CHECK(node.changes.size() == told);
  CHECK(bird.state_of("10.0.0.1") == "Up");
}

TEST_CASE_METHOD(Interop, "with BIRD a session is up again after either end was killed", "[bfd]") {
  const bool keyed = GENERATE(false, true);
  const std::string auth = keyed ? kAuthenticated : "";
  auto bird = std::make_unique<test::Bird>(right(), bird_conf(kMultihop, 100, auth));
  SessionConfig ours = config(Hops::kMulti, "10.0.0.1", "10.0.0.2");
  if (keyed) ours.keys = kKeys;
  SessionId id = node.add(ours);
  up(id);
  bird.reset();
  down(id);
  bird = std::make_unique<test::Bird>(right(), bird_conf(kMultihop, 100, auth));
  up(id);
  node.restart();
  id = node.add(ours);
  up(id);
  until([&] { return bird->state_of("10.0.0.1") == "Up"; });
}

TEST_CASE_METHOD(Interop, "with BIRD a session with another key, or none at one end, does not come up",
                 "[bfd]") {
  const test::Bird bird(right(), bird_conf(kMultihop, 100, kAuthenticated));
  SessionConfig ours = config(Hops::kMulti, "10.0.0.1", "10.0.0.2");
  Refusal refusal = Refusal::kUnexpectedAuthentication;
  SECTION("none here") {}
  SECTION("another secret") {
    ours.keys = Keys{{7, "not that"}, {}};
    refusal = Refusal::kDigest;
  }
  const SessionId id = node.add(ours);
  until([&] { return node.refused(refusal) > 2; });
  CHECK(node.is(id, State::kDown));
  CHECK(bird.state_of("10.0.0.1") == "Down");
}

std::string bfdd_peer(const std::string& peer, const std::string& local, bool multihop, int ms) {
  const std::string interval = std::to_string(ms) + "\n";
  return " peer " + peer + (multihop ? " multihop" : "") + " local-address " + local +
         "\n  detect-multiplier 3\n  receive-interval " + interval + "  transmit-interval " + interval +
         " !\n";
}

TEST_CASE_METHOD(Interop, "with FRR's bfdd a session comes up, over one hop and several, in both families",
                 "[bfd]") {
  struct Case {
    const char* name;
    Hops hops;
    std::string local;
    std::string peer;
  };
  const Case cases[] = {
      {"one hop, IPv4", Hops::kSingle, "10.0.0.1", "10.0.0.2"},
      {"one hop, IPv6", Hops::kSingle, "fd00::1", "fd00::2"},
      {"several hops, IPv4", Hops::kMulti, "10.0.0.1", "10.0.0.2"},
      {"several hops, IPv6", Hops::kMulti, "fd00::1", "fd00::2"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const test::Bfdd bfdd(right(), bfdd_peer(c.local, c.peer, c.hops == Hops::kMulti, 100));
      const SessionId id = node.add(config(c.hops, c.local, c.peer));
      up(id);
      until([&] { return bfdd.shown(c.local, "status") == "up"; });
      until([&] { return node.state(id).detection_time == milliseconds(300); });
      CHECK(node.state(id).transmit_interval == milliseconds(100));
    }
  }
}

TEST_CASE_METHOD(Interop, "with FRR's bfdd: cut in one direction, taken down at either end, and up again",
                 "[bfd]") {
  const test::Bfdd bfdd(right(), bfdd_peer("10.0.0.1", "10.0.0.2", true, 100));
  const SessionId id = node.add(config(Hops::kMulti, "10.0.0.1", "10.0.0.2"));
  up(id);
  until([&] { return bfdd.shown("10.0.0.1", "status") == "up"; });

  lose_all_to(right());
  until([&] { return bfdd.shown("10.0.0.1", "status") != "up" && !node.is(id, State::kUp); });
  let_all_to(right());
  up(id);
  const std::size_t told = node.changes.size();
  lose_all_to(left());
  down(id);
  CHECK(node.changes.at(told).diagnostic == Diagnostic::kDetectionTimeExpired);
  let_all_to(left());
  up(id);
  REQUIRE(node.engine().set_admin_down(id, true).has_value());
  until([&] { return bfdd.shown("10.0.0.1", "status") == "down"; });
  CHECK(bfdd.shown("10.0.0.1", "remote-diagnostic") != "");
  REQUIRE(node.engine().set_admin_down(id, false).has_value());
  up(id);
  bfdd.configure({"peer 10.0.0.1 multihop local-address 10.0.0.2", "shutdown"});
  until([&] { return node.state(id).remote_state == State::kAdminDown; });
  CHECK(node.changes.back().diagnostic == Diagnostic::kNeighborSignaledDown);
  bfdd.configure({"peer 10.0.0.1 multihop local-address 10.0.0.2", "no shutdown"});
  up(id);
  until([&] { return bfdd.shown("10.0.0.1", "status") == "up"; });
}

TEST_CASE_METHOD(Interop, "with FRR's bfdd timers are changed at both ends while the session stays up",
                 "[bfd]") {
  const test::Bfdd bfdd(right(), bfdd_peer("10.0.0.1", "10.0.0.2", false, 100));
  const SessionId id = node.add(config(Hops::kSingle, "10.0.0.1", "10.0.0.2"));
  up(id);
  until([&] { return node.state(id).detection_time == milliseconds(300); });
  const std::size_t told = node.changes.size();
  REQUIRE(node.engine().set_timers(id, {milliseconds(50), milliseconds(400), 5}).has_value());
  until([&] { return node.state(id).detection_time == 3 * milliseconds(400); });
  until([&] {
    return bfdd.shown("10.0.0.1", "remote-receive-interval") == "400" &&
           bfdd.shown("10.0.0.1", "remote-transmit-interval") == "50" &&
           bfdd.shown("10.0.0.1", "remote-detect-multiplier") == "5";
  });
  bfdd.configure({"peer 10.0.0.1 local-address 10.0.0.2", "receive-interval 700", "transmit-interval 600"});
  until([&] { return node.state(id).transmit_interval == milliseconds(700); });
  until([&] { return node.state(id).detection_time == 3 * milliseconds(600); });
  bfdd.configure({"peer 10.0.0.1 local-address 10.0.0.2", "receive-interval 20", "transmit-interval 20"});
  until([&] { return node.state(id).transmit_interval == milliseconds(50); });
  turn_for(milliseconds(500));
  CHECK(node.changes.size() == told);
  CHECK(bfdd.shown("10.0.0.1", "status") == "up");
}

TEST_CASE_METHOD(Interop, "with FRR's bfdd a session is up again after either end was killed", "[bfd]") {
  const std::string peer = bfdd_peer("10.0.0.1", "10.0.0.2", true, 100);
  auto bfdd = std::make_unique<test::Bfdd>(right(), peer);
  SessionConfig ours = config(Hops::kMulti, "10.0.0.1", "10.0.0.2");
  SessionId id = node.add(ours);
  up(id);
  bfdd.reset();
  down(id);
  bfdd = std::make_unique<test::Bfdd>(right(), peer);
  up(id);
  node.restart();
  id = node.add(ours);
  up(id);
  until([&] { return bfdd->shown("10.0.0.1", "status") == "up"; });
}

}  // namespace
}  // namespace holdfast::bfd
