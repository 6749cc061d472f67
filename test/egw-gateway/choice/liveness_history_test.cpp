#include "egw-gateway/choice/liveness_history.h"

#include "test/catch.h"

namespace holdfast::gateway {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

constexpr nanoseconds kBegin = 1h;
constexpr nanoseconds kTold = kBegin + 1s;
constexpr nanoseconds kLooked = kTold + 2s;

LivenessHistory in_state(LivenessState state) {
  LivenessHistory out;
  out.watch("a", kBegin);
  if (state != LivenessState::kUnknown) out.told("a", Word::kUp, kBegin);
  if (state == LivenessState::kDown) out.told("a", Word::kDown, kBegin);
  return out;
}

Candidate described(const LivenessHistory& history, nanoseconds now) {
  Candidate out{.name = "a"};
  history.describe(out, now);
  return out;
}

TEST_CASE("Each word leads from each state to the next, and leaves what is told of it", "[gateway]") {
  struct Row {
    LivenessState state;
    Word word;
    LivenessState next;
    nanoseconds up_since;
    std::size_t stumbles;
    bool left;
  };
  using enum LivenessState;
  const Row rows[] = {
      {kUnknown, Word::kUp, kUp, kTold, 0, false},      {kUnknown, Word::kDown, kDown, 0ns, 0, false},
      {kUnknown, Word::kLeaving, kDown, 0ns, 0, false}, {kUp, Word::kUp, kUp, kBegin, 0, false},
      {kUp, Word::kDown, kDown, kBegin, 1, false},      {kUp, Word::kLeaving, kDown, kBegin, 0, true},
      {kDown, Word::kUp, kUp, kTold, 1, false},         {kDown, Word::kDown, kDown, kBegin, 1, false},
      {kDown, Word::kLeaving, kDown, kBegin, 1, false},
  };
  for (const Row& row : rows) {
    DYNAMIC_SECTION(to_string(row.state) << ", word " << static_cast<int>(row.word)) {
      LivenessHistory history = in_state(row.state);
      REQUIRE(history.state("a") == row.state);
      history.told("a", row.word, kTold);
      const Candidate seen = described(history, kLooked);
      CHECK(history.state("a") == row.next);
      CHECK(seen.state == row.next);
      CHECK(seen.up_since == row.up_since);
      CHECK(seen.downs == row.stumbles);
      CHECK(seen.left == row.left);
    }
  }
}

TEST_CASE("One of which nothing is told counts as down, and is unknown all the same", "[gateway]") {
  const LivenessHistory history = in_state(LivenessState::kUnknown);
  CHECK(described(history, kBegin + kFirstWord - 1ns).state == LivenessState::kUnknown);
  CHECK(described(history, kBegin + kFirstWord).state == LivenessState::kDown);
  CHECK(history.state("a") == LivenessState::kUnknown);
  CHECK_FALSE(history.went_down("a"));
}

TEST_CASE("A stumble is forgotten in time, also while nothing else is told", "[gateway]") {
  LivenessHistory history = in_state(LivenessState::kUp);
  history.told("a", Word::kDown, kTold);
  CHECK(described(history, kTold + kFlapMemory - 1ns).downs == 1);
  CHECK(described(history, kTold + kFlapMemory).downs == 0);
  CHECK(history.went_down("a") == kTold);
}

TEST_CASE("Stumbles add up within the memory of them, and not beyond", "[gateway]") {
  LivenessHistory history;
  for (int i = 0; i < 10; ++i) {
    history.told("a", Word::kUp, kBegin + i * 10s);
    history.told("a", Word::kDown, kBegin + i * 10s + 5s);
  }
  CHECK(described(history, kBegin + 95s).downs == 3);
}

TEST_CASE("One that is forgotten is watched anew", "[gateway]") {
  LivenessHistory history = in_state(LivenessState::kDown);
  history.forget("a");
  CHECK(described(history, kLooked) == Candidate{.name = "a"});
}

}  // namespace
}  // namespace holdfast::gateway
