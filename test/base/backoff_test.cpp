#include "common/base/backoff.h"

#include <algorithm>
#include <vector>

#include "test/catch.h"

namespace holdfast {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

std::vector<nanoseconds> waits(std::uint64_t seed, int count) {
  Backoff backoff(milliseconds(100), milliseconds(1000), seed);
  std::vector<nanoseconds> out;
  out.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    out.push_back(backoff.next());
  }
  return out;
}

TEST_CASE("waits double up to the longest and are spread from zero on", "[backoff]") {
  const std::vector<milliseconds> bounds{milliseconds(100), milliseconds(200),  milliseconds(400),
                                         milliseconds(800), milliseconds(1000), milliseconds(1000)};
  std::vector<nanoseconds> longest(bounds.size());
  std::vector<nanoseconds> shortest(bounds.size(), std::chrono::hours(1));
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    const std::vector<nanoseconds> got = waits(seed, static_cast<int>(bounds.size()));
    for (std::size_t i = 0; i < bounds.size(); ++i) {
      REQUIRE(got[i] >= nanoseconds(0));
      REQUIRE(got[i] <= bounds[i]);
      longest[i] = std::max(longest[i], got[i]);
      shortest[i] = std::min(shortest[i], got[i]);
    }
  }
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    CHECK(longest[i] > bounds[i] * 95 / 100);
    CHECK(shortest[i] < bounds[i] * 5 / 100);
  }
}

TEST_CASE("a seed gives the same waits again, another one others", "[backoff]") {
  CHECK(waits(7, 10) == waits(7, 10));
  CHECK(waits(7, 10) != waits(8, 10));
}

TEST_CASE("after a reset the waits are short again", "[backoff]") {
  Backoff backoff(milliseconds(1), std::chrono::hours(1), 1);
  nanoseconds longest{};
  for (int i = 0; i < 30; ++i) {
    longest = std::max(longest, backoff.next());
  }
  CHECK(longest > std::chrono::minutes(1));
  backoff.reset();
  CHECK(backoff.next() <= milliseconds(1));
}

TEST_CASE("the longest of all waits does not overflow", "[backoff]") {
  Backoff backoff(nanoseconds(1), nanoseconds::max() - nanoseconds(1), 1);
  for (int i = 0; i < 200; ++i) {
    REQUIRE(backoff.next() >= nanoseconds(0));
  }
}

}  // namespace
}  // namespace holdfast
