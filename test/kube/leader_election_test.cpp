#include "common/kube/leader_election.h"

#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "test/catch.h"
#include "test/fakes/fake_clock.h"
#include "test/kube_server/direct_http.h"

namespace holdfast::kube {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

constexpr const char* kLease = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/controller";

// One process: its own clock, loop and way to the server.
struct Candidate {
  test::FakeClock clock;
  std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();
  test::DirectHttp http;
  ObjectClient client{*loop, http, {}, 1};
  int started = 0;
  int stopped = 0;
  std::string trouble;
  double pace = 1;      // of its clock
  bool frozen = false;  // its process does not run
  LeaderElection election;

  Candidate(test::ApiServer& server, const std::string& identity, std::uint64_t seed)
      : http(*loop, server),
        election(*loop, client, {.name_space = "kube-system", .name = "controller", .identity = identity},
                 {.started = [this] { ++started; },
                  .stopped = [this] { ++stopped; },
                  .trouble = [this](const Error& error) { trouble = error.message; }},
                 seed) {
    election.start();
  }
  [[nodiscard]] bool leads() const { return election.leads(); }
};

// A server and two candidates in one time.
struct Contest {
  test::FakeClock clock;
  std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();
  test::ApiServer server{*loop};
  Candidate a{server, "a", 1};
  Candidate b{server, "b", 1000};
  bool both_led = false;

  void pass(nanoseconds time) {
    constexpr nanoseconds kStep = 20ms;
    for (nanoseconds passed{}; passed < time; passed += kStep) {
      clock.advance(kStep);
      for (Candidate* each : {&a, &b}) {
        each->clock.advance(std::chrono::duration_cast<nanoseconds>(kStep * each->pace));
        if (!each->frozen) {
          REQUIRE(each->loop->turn());
        }
      }
      // A process that does not run does not act; what it would say when asked counts all the same.
      both_led = both_led || (a.leads() && b.leads());
    }
  }
  std::string holder() {
    const test::StoredObject lease = server.find(kLease);
    return lease ? (*lease)["spec"]["holderIdentity"].get<std::string>() : "";
  }
};

TEST_CASE("one of two leads, and goes on while it renews", "[kube]") {
  Contest contest;
  contest.pass(120s);
  CHECK(contest.a.leads() != contest.b.leads());
  CHECK(contest.a.started + contest.b.started == 1);
  CHECK(contest.a.stopped + contest.b.stopped == 0);
  CHECK_FALSE(contest.both_led);
  CHECK((*contest.server.find(kLease))["spec"]["leaseTransitions"] == 0);
}

TEST_CASE("a leader that cannot renew ceases before another may lead, which then does", "[kube]") {
  Contest contest;
  contest.b.http.requests_lost = true;
  contest.pass(20s);
  REQUIRE(contest.a.leads());
  contest.b.http.requests_lost = false;
  contest.pass(5s);
  SECTION("its requests are lost") { contest.a.http.requests_lost = true; }
  SECTION("its renewals are done, and the answers lost") { contest.a.http.answers_lost = true; }
  SECTION("its process stands still") { contest.a.frozen = true; }
  contest.pass(11s);
  CHECK_FALSE(contest.a.leads());
  contest.a.http.requests_lost = true;
  contest.pass(25s);
  CHECK(contest.b.leads());
  CHECK(contest.holder() == "b");
  CHECK((*contest.server.find(kLease))["spec"]["leaseTransitions"] == 1);
  CHECK_FALSE(contest.both_led);
  contest.a.frozen = false;
  contest.a.http.requests_lost = false;
  contest.a.http.answers_lost = false;
  contest.pass(10s);
  CHECK(contest.a.stopped == 1);
  CHECK(contest.b.leads());
  CHECK_FALSE(contest.both_led);
}

TEST_CASE("what the wall clocks say decides nothing", "[kube]") {
  Contest contest;
  contest.a.clock.wall_time -= std::chrono::days(4000);
  contest.b.clock.wall_time += std::chrono::days(4000);
  contest.pass(60s);
  CHECK(contest.a.started + contest.b.started == 1);
  CHECK(contest.a.stopped + contest.b.stopped == 0);
  CHECK_FALSE(contest.both_led);
}

TEST_CASE("a leader that resigns is followed at once", "[kube]") {
  Contest contest;
  contest.pass(10s);
  Candidate& leader = contest.a.leads() ? contest.a : contest.b;
  Candidate& other = contest.a.leads() ? contest.b : contest.a;
  bool done = false;
  leader.election.resign([&] { done = true; });
  CHECK_FALSE(leader.leads());
  CHECK(leader.stopped == 1);
  contest.pass(5s);
  CHECK(done);
  CHECK(other.leads());
}

TEST_CASE("a leader that resigns while its renewal is on its way is followed at once too", "[kube]") {
  Contest contest;
  contest.pass(10s);
  Candidate& leader = contest.a.leads() ? contest.a : contest.b;
  Candidate& other = contest.a.leads() ? contest.b : contest.a;
  leader.http.answers_lost = true;
  contest.pass(2600ms);
  REQUIRE(leader.leads());
  leader.http.answers_lost = false;
  bool done = false;
  leader.election.resign([&] { done = true; });
  contest.pass(5s);
  CHECK(done);
  CHECK(other.leads());
}

TEST_CASE("a leader whose lease is deleted or taken by hand ceases when it sees it", "[kube]") {
  Contest contest;
  contest.pass(10s);
  Candidate& leader = contest.a.leads() ? contest.a : contest.b;
  SECTION("deleted") { contest.server.remove(kLease); }
  SECTION("taken") { contest.server.put(kLease, {{"spec", {{"holderIdentity", "somebody"}}}}); }
  contest.pass(5s);
  CHECK(leader.stopped == 1);
}

TEST_CASE("a leader that finds another's name after a lost message ceases before its time is over",
          "[kube]") {
  Contest contest;
  contest.pass(10s);
  Candidate& leader = contest.a.leads() ? contest.a : contest.b;
  leader.http.requests_lost = true;
  contest.server.put(kLease, {{"spec", {{"holderIdentity", "somebody"}}}});
  contest.pass(4s);
  REQUIRE(leader.leads());
  leader.http.requests_lost = false;
  contest.pass(4s);
  CHECK_FALSE(leader.leads());
}

TEST_CASE("a leader goes on when one message is lost", "[kube]") {
  Contest contest;
  contest.pass(10s);
  Candidate& leader = contest.a.leads() ? contest.a : contest.b;
  leader.http.requests_lost = true;
  contest.pass(3s);
  leader.http.requests_lost = false;
  contest.pass(20s);
  CHECK(leader.leads());
  CHECK(leader.stopped == 0);
}

TEST_CASE("a lease of another's length is left alone for that length", "[kube]") {
  Contest contest;
  contest.server.put(kLease, {{"spec", {{"holderIdentity", "old"}, {"leaseDurationSeconds", 60}}}});
  contest.pass(55s);
  CHECK(contest.a.started + contest.b.started == 0);
  contest.pass(20s);
  CHECK(contest.a.started + contest.b.started == 1);
}

TEST_CASE("never do two lead, however their clocks run, their messages are lost and they stand still",
          "[kube]") {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    DYNAMIC_SECTION("seed " << seed) {
      Contest contest;
      std::mt19937 random(seed);
      const auto happens = [&](unsigned percent) { return random() % 100 < percent; };
      std::uniform_real_distribution<double> pace(0.9, 1.1);
      contest.a.pace = pace(random);
      contest.b.pace = pace(random);
      for (int turn = 0; turn < 60; ++turn) {
        for (Candidate* each : {&contest.a, &contest.b}) {
          each->http.requests_lost = happens(30);
          each->http.answers_lost = happens(30);
          each->frozen = happens(20);
          each->http.delay = happens(20) ? 3000ms : 10ms;
        }
        contest.pass(std::chrono::seconds(1 + random() % 25));
      }
      CHECK_FALSE(contest.both_led);
      CHECK(contest.a.started + contest.b.started > 2);
    }
  }
}

}  // namespace
}  // namespace holdfast::kube
