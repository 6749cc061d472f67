#include "egw-gateway/choice/gateway_choice.h"

#include <set>

#include "test/catch.h"

namespace holdfast::gateway {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

/// A pool of the gateways a and b, of which a is preferred, as one node sees it.
struct Pool {
  nanoseconds now = 1h;
  LivenessHistory history;
  Choice choice;
  std::set<std::string> unreachable;
  std::vector<std::pair<nanoseconds, std::string>> changes;  // of the active gateway
  std::size_t switches = 0;                                  // from one gateway to another
  std::size_t most_in_10s = 0;

  void look() {
    std::vector<Candidate> candidates{{"a", 200}, {"b", 100}};
    for (Candidate& candidate : candidates) {
      candidate.reachable = !unreachable.contains(candidate.name);
      history.describe(candidate, now);
    }
    const Choice before = choice;
    choice = choose(candidates, before, now);
    if (choice.active != before.active) changes.emplace_back(now, choice.active);
    if (!before.last.empty() && choice.last != before.last) ++switches;
  }
  void tell(const std::string& name, bool up) { tell(name, up ? Word::kUp : Word::kDown); }
  void tell(const std::string& name, Word word) {
    history.told(name, word, now);
    look();
  }
  /// As long as the choice is undecided it is asked again now and then.
  void pass(nanoseconds time) {
    const nanoseconds end = now + time;
    while (now < end) {
      now = std::min(end, now + 100ms);
      if (choice.undecided) look();
    }
  }
  /// Both up for a long time, a active.
  void settle() {
    tell("a", true);
    tell("b", true);
    pass(1min);
    changes.clear();
    REQUIRE(choice.active == "a");
  }
};

TEST_CASE_METHOD(Pool, "With nothing heard no gateway is chosen", "[gateway]") {
  look();
  CHECK(choice.active.empty());
  CHECK_FALSE(choice.undecided);
}

TEST_CASE_METHOD(Pool, "The first that is up is taken at once, the better one when it stays up",
                 "[gateway]") {
  tell("b", true);
  CHECK(choice.active == "b");
  pass(1s);
  tell("a", true);
  CHECK(choice.active == "b");
  CHECK(choice.undecided);
  pass(9s);
  CHECK(choice.active == "b");
  pass(1s);
  CHECK(choice.active == "a");
  CHECK(choice.why == "a has a higher priority, and stays up");
  CHECK(switches == 1);
}

TEST_CASE_METHOD(Pool, "When the active gateway dies the other takes over at once", "[gateway]") {
  settle();
  tell("a", false);
  CHECK(choice.active == "b");
  CHECK(choice.why == "a is down; b is up");
  pass(1min);
  CHECK(choice.active == "b");
  tell("a", true);
  pass(9s);
  CHECK(choice.active == "b");
  pass(1s);
  CHECK(choice.active == "a");
}

TEST_CASE_METHOD(Pool, "The first choice is no switch: when it dies at once the other takes over",
                 "[gateway]") {
  tell("a", true);
  pass(1s);
  tell("b", true);
  tell("a", false);
  CHECK(choice.active == "b");
}

TEST_CASE_METHOD(Pool, "With both dead there is none, and the first that is back is taken at once",
                 "[gateway]") {
  settle();
  tell("b", false);
  CHECK(choice.active == "a");
  tell("a", false);
  CHECK(choice.active.empty());
  CHECK(choice.why == "a is down, and no other may take over");
  pass(5s);
  const std::string back = GENERATE("a", "b");
  tell(back, true);
  CHECK(choice.active == back);
}

TEST_CASE_METHOD(Pool, "Gateways that go as planned, one after the other, are no gateways that flap",
                 "[gateway]") {
  settle();
  for (int i = 0; i < 10; ++i) {
    for (const std::string name : {"b", "a"}) {
      tell(name, Word::kLeaving);
      CHECK(choice.active == (name == "a" ? "b" : "a"));
      pass(1s);
      tell(name, true);
      pass(100ms);
    }
  }
}

TEST_CASE_METHOD(Pool, "A gateway that is lost is one that flaps, also where it goes as planned between",
                 "[gateway]") {
  settle();
  tell("a", false);
  tell("a", true);
  tell("b", Word::kLeaving);
  CHECK(choice.active.empty());  // a came back a moment ago
  tell("b", true);
  CHECK(choice.active == "b");
  tell("b", false);
  tell("b", true);
  tell("b", false);
  pass(kSettleTime);
  CHECK(choice.active == "a");
}

TEST_CASE_METHOD(Pool, "An active gateway that is not heard is left for one that is", "[gateway]") {
  choice.active = choice.last = "a";  // by an earlier run
  history.watch("a", now);
  history.watch("b", now);
  look();
  CHECK(choice.active == "a");
  tell("b", true);
  pass(kOtherHeard - 100ms);
  CHECK(choice.active == "a");
  pass(200ms);
  CHECK(choice.active == "b");
  CHECK(choice.why == "a is not heard; b is up");
  tell("a", true);
  pass(kHoldDown);
  CHECK(choice.active == "a");
}

TEST_CASE_METHOD(Pool, "A gateway that flaps causes one switch however long it does", "[gateway]") {
  settle();
  for (int i = 0; i < 60; ++i) {
    tell("a", false);
    pass(1s);
    tell("a", true);
    pass(1s);
  }
  CHECK(switches == 1);
  CHECK(changes.size() == 1);
  CHECK(choice.active == "b");
  pass(10s);
  CHECK(choice.active == "a");
}

TEST_CASE_METHOD(Pool, "Both that flap by turns cause at most one switch in 10 s", "[gateway]") {
  settle();
  const milliseconds period = GENERATE(100ms, 1000ms, 2000ms, 2900ms);
  const nanoseconds begin = now;
  for (int i = 0; i < 40; ++i) {
    tell(i % 2 == 0 ? "a" : "b", false);
    pass(period / 2);
    tell(i % 2 == 0 ? "a" : "b", true);
    pass(period / 2);
  }
  const auto tens = static_cast<std::size_t>((now - begin) / 10s) + 1;
  CHECK(switches <= tens);
  CHECK(changes.size() <= 5 * tens);
}

TEST_CASE_METHOD(Pool, "A whole site's flapping uplink leaves the ranges unreachable, and ends",
                 "[gateway]") {
  settle();
  const nanoseconds begin = now;
  for (int i = 0; i < 20; ++i) {
    tell("a", false);
    tell("b", false);
    pass(1s);
    tell("b", true);
    tell("a", true);
    pass(1s);
  }
  CHECK(changes.size() <= 6);
  CHECK(changes.back().first - begin < 5s);
  pass(kHoldDown);
  CHECK(choice.active == "a");
}

TEST_CASE_METHOD(Pool, "When a whole site has stumbled twice what stays up is taken once it has settled",
                 "[gateway]") {
  settle();
  const auto fall = [&] {
    tell("b", false);
    tell("a", false);
    pass(300ms);
  };
  fall();
  tell("a", true);
  tell("b", true);
  pass(5s);
  CHECK(choice.active == "a");
  fall();
  const std::string back = GENERATE("a", "b", "both");
  CAPTURE(back);
  for (const char* name : {"b", "a"}) {
    if (back == name || back == "both") tell(name, true);
  }
  pass(kSettleTime - 100ms);
  CHECK(choice.active.empty());
  pass(100ms);
  CHECK(choice.active == (back == "both" ? "a" : back));
  CHECK(switches == (back == "b" ? 1 : 0));
}

TEST_CASE_METHOD(Pool, "A second death within the hold-down costs no wait when the other has settled",
                 "[gateway]") {
  settle();
  tell("a", false);
  pass(1s);
  tell("a", true);
  pass(4s);
  CHECK(choice.active == "b");
  tell("b", false);
  CHECK(choice.active == "a");
}

TEST_CASE_METHOD(Pool, "A program that begins anew goes on with what it finds until it is heard or missed",
                 "[gateway]") {
  choice = {.active = "a", .last = "a"};
  look();
  pass(1h);
  CHECK(choice.active == "a");  // as long as nobody listens nobody is missed
  for (const char* name : {"a", "b"}) history.watch(name, now);
  pass(kFirstWord - 1s);
  tell("b", true);
  pass(900ms);
  CHECK(choice.active == "a");
  SECTION("heard") {
    tell("a", true);
    pass(5s);
    CHECK(choice.active == "a");
  }
  SECTION("missed") {
    pass(100ms);
    CHECK(choice.active == "b");
    CHECK(choice.why == "a is down; b is up");
  }
  SECTION("watched by another call, which changes nothing") {
    history.watch("a", now);
    pass(100ms);
    CHECK(choice.active == "b");
  }
  SECTION("another is in its place, and is waited for") {
    history.forget("a");
    history.watch("a", now);
    pass(kOtherHeard - 1s);
    CHECK(choice.active == "a");
    pass(100ms);
    CHECK(choice.active == "b");
  }
}

TEST_CASE_METHOD(Pool, "A gateway to which there is no way is not used", "[gateway]") {
  settle();
  unreachable = {"a"};
  look();
  CHECK(choice.active == "b");
  CHECK(choice.why == "there is no way to a; b is up");
  unreachable = {"a", "b"};
  look();
  CHECK(choice.active.empty());
}

TEST_CASE("A gateway that is gone from the pool is left", "[gateway]") {
  const std::vector<Candidate> one{{"b", 100, true, LivenessState::kUp, 1h}};
  const Choice choice = choose(one, {.active = "a", .last = "a", .last_switch = 1h}, 2h);
  CHECK(choice.active == "b");
  CHECK(choice.why == "a is no gateway of the pool any more; b is up");
}

TEST_CASE("Of two gateways of one priority the first by name is taken", "[gateway]") {
  const std::vector<Candidate> both{{"b", 100, true, LivenessState::kUp},
                                    {"a", 100, true, LivenessState::kUp}};
  CHECK(choose(both, {}, 1h).active == "a");
}

// The tables of the header, row by row: b is preferred least, c most; the last switch is old where none is
// told.

constexpr nanoseconds kNow = 1h;

Candidate up_for(const char* name, nanoseconds time, std::size_t downs = 0) {
  const int priority = name[0] - 'a';
  return {.name = name,
          .priority = priority,
          .state = LivenessState::kUp,
          .up_since = kNow - time,
          .downs = downs};
}
Candidate in_state(const char* name, LivenessState state) {
  Candidate out = up_for(name, 1min);
  out.state = state;
  return out;
}
Candidate unreachable(Candidate candidate) {
  candidate.reachable = false;
  return candidate;
}
Candidate left(const char* name) {
  Candidate out = in_state(name, LivenessState::kDown);
  out.left = true;
  return out;
}
Choice active(const char* name) { return {.active = name, .last = name}; }
/// None is, `name` was the last, and a switch was `ago`.
Choice lost(const char* name, nanoseconds ago = 1min) { return {.last = name, .last_switch = kNow - ago}; }
/// With a switch so long ago that one within the hold-down has just begun.
Choice held_down(const char* name) {
  return {.active = name, .last = name, .last_switch = kNow - kHoldDown + 1ns};
}

struct Row {
  const char* name;
  std::vector<Candidate> candidates;
  Choice before;
  const char* active;  // from now on
};

void walk(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    DYNAMIC_SECTION(row.name) { CHECK(choose(row.candidates, row.before, kNow).active == row.active); }
  }
}

constexpr LivenessState kDown = LivenessState::kDown;
constexpr LivenessState kUnknown = LivenessState::kUnknown;

TEST_CASE("The active gateway is found to be what the table says", "[gateway]") {
  struct Found {
    const char* name;
    std::vector<Candidate> candidates;
    Choice before;
    ActiveState state;
  };
  const Found rows[] = {
      {"none", {up_for("b", 1min)}, {}, ActiveState::kNone},
      {"no candidate any more", {up_for("b", 1min)}, active("c"), ActiveState::kRemoved},
      {"down", {in_state("c", kDown)}, active("c"), ActiveState::kDown},
      {"down as planned", {left("c")}, active("c"), ActiveState::kLeft},
      {"down and without a way", {unreachable(left("c"))}, active("c"), ActiveState::kLeft},
      {"without a way", {unreachable(up_for("c", 1min))}, active("c"), ActiveState::kUnreachable},
      {"not heard, as another is",
       {up_for("b", kOtherHeard), in_state("c", kUnknown)},
       active("c"),
       ActiveState::kUnheard},
      {"not heard, as another is for too short a time",
       {up_for("b", kOtherHeard - 1ns), in_state("c", kUnknown)},
       active("c"),
       ActiveState::kServing},
      {"not heard, as another is that is not trusted",
       {up_for("b", kOtherHeard, 2), in_state("c", kUnknown)},
       active("c"),
       ActiveState::kServing},
      {"not heard, nor is another",
       {in_state("b", kUnknown), in_state("c", kUnknown)},
       active("c"),
       ActiveState::kServing},
      {"up", {up_for("c", 0ns, 9)}, active("c"), ActiveState::kServing},
  };
  for (const Found& row : rows) {
    DYNAMIC_SECTION(row.name) { CHECK(active_state(row.candidates, row.before, kNow) == row.state); }
  }
}

TEST_CASE("A gateway that serves is left for a better one alone, as the table says", "[gateway]") {
  const Candidate serving = up_for("b", 1min);
  walk({
      {"a better one has been up for the hold-down", {serving, up_for("c", kHoldDown)}, active("b"), "c"},
      {"not for as long", {serving, up_for("c", kHoldDown - 1ns)}, active("b"), "b"},
      {"it has no way", {serving, unreachable(up_for("c", 1min))}, active("b"), "b"},
      {"the last switch is not as old", {serving, up_for("c", 1min)}, held_down("b"), "b"},
      {"the other is worse", {serving, up_for("a", 1min)}, active("b"), "b"},
      {"of several the best", {serving, up_for("c", 1min), up_for("d", 1min)}, active("b"), "d"},
  });
}

TEST_CASE("A gateway that is lost is replaced by who may take over, as the table says", "[gateway]") {
  const Candidate dead = in_state("c", kDown);
  walk({
      {"at once, when it is not held down", {up_for("b", 0ns), dead}, active("c"), "b"},
      {"also when it stumbled once", {up_for("b", 0ns, 1), dead}, active("c"), "b"},
      {"the best of several", {up_for("a", 1min), up_for("b", 0ns), dead}, active("c"), "b"},
      {"the last active one at once", {up_for("c", 0ns)}, lost("c", 1s), "c"},
      {"another, held down, not at once", {up_for("b", 0ns), dead}, held_down("c"), ""},
      {"but once it has settled", {up_for("b", kSettleTime), dead}, held_down("c"), "b"},
      {"also when it stumbled once", {up_for("b", kSettleTime, 1), dead}, held_down("c"), "b"},
      {"and not a moment before", {up_for("b", kSettleTime - 1ns), dead}, held_down("c"), ""},
      {"at once, when the active one left", {up_for("b", 0ns), left("c")}, held_down("c"), "b"},
      {"not at once, when it stumbled, too", {up_for("b", 0ns, 1), left("c")}, held_down("c"), ""},
      {"one that flaps not before it is trusted", {up_for("b", 1s, 2), dead}, active("c"), ""},
      {"then at once", {up_for("b", kHoldDown, 2), dead}, active("c"), "b"},
      {"a worse one that is trusted goes before", {up_for("b", 0ns), up_for("c", 9s, 2)}, lost("b"), "b"},
  });
}

TEST_CASE("Where none may take over what stays up does, as the table says", "[gateway]") {
  walk({
      {"the last active one when it has settled",
       {up_for("b", kSettleTime + 1s, 2), up_for("c", kSettleTime, 2)},
       lost("c"),
       "c"},
      {"and is waited for until then",
       {up_for("b", kSettleTime + 1s, 2), up_for("c", kSettleTime - 1ns, 2)},
       lost("c"),
       ""},
      {"while it is not up the one that is up for longest",
       {up_for("a", kSettleTime + 1s, 2), up_for("b", kSettleTime, 2), in_state("c", kDown)},
       lost("c"),
       "a"},
      {"none as long as none has settled",
       {up_for("b", kSettleTime - 1ns, 2), in_state("c", kDown)},
       lost("c"),
       ""},
      {"none that has no way", {unreachable(up_for("b", 1min))}, lost("c"), ""},
  });
}

TEST_CASE("A switch is remembered by when the last active one became another", "[gateway]") {
  CHECK_FALSE(choose({up_for("b", 0ns)}, {}, kNow).last_switch);
  CHECK(choose({up_for("b", 0ns)}, active("c"), kNow).last_switch == kNow);
  CHECK(choose({up_for("c", 0ns)}, lost("c", 1s), kNow).last_switch == kNow - 1s);
  CHECK_FALSE(choose({in_state("c", kDown)}, active("c"), kNow).last_switch);
}

}  // namespace
}  // namespace holdfast::gateway
