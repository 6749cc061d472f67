#include "common/base/clock.h"

#include "test/catch.h"
#include "test/fakes/fake_clock.h"

namespace holdfast {
namespace {

TEST_CASE("the system's clocks go on while it sleeps", "[clock]") {
  SystemClock clock;
  const auto before = clock.since_boot();
  clock.sleep(std::chrono::milliseconds(5));
  CHECK(clock.since_boot() - before >= std::chrono::milliseconds(5));
  CHECK(before > std::chrono::nanoseconds(0));
  CHECK(clock.now() > std::chrono::sys_days{std::chrono::year{2020} / 1 / 1});
}

TEST_CASE("the fake clock moves only when slept on or advanced", "[clock]") {
  test::FakeClock clock;
  const auto boot = clock.since_boot();
  const auto wall = clock.now();
  CHECK(clock.since_boot() == boot);
  clock.sleep(std::chrono::milliseconds(700));
  clock.advance(std::chrono::milliseconds(700));
  CHECK(clock.since_boot() - boot == std::chrono::milliseconds(1400));
  CHECK(clock.now() - wall == std::chrono::seconds(1));
  CHECK(clock.slept == std::chrono::milliseconds(700));
}

}  // namespace
}  // namespace holdfast
