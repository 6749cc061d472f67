#include "cni-flannel/daemon/mac_contest.h"

#include "test/catch.h"

namespace holdfast::flannel {
namespace {

using namespace std::chrono_literals;

const MacAddress kOther({2, 0, 0, 0, 0, 1});

TEST_CASE("Three corrections a minute are made, the fourth waits until the first is a minute old",
          "[flanneld]") {
  MacContest contest;
  for (const auto now : {100s, 110s, 120s}) {
    CHECK(contest.may_correct(now));
    contest.corrected(now);
  }
  CHECK_FALSE(contest.may_correct(121s));
  CHECK_FALSE(contest.may_correct(159s));
  CHECK(contest.next_look(159s) == 160s);
  CHECK(contest.may_correct(160s));
  contest.corrected(160s);
  CHECK_FALSE(contest.may_correct(161s));
  CHECK(contest.next_look(161s) == 170s);
  CHECK(contest.next_look(170s) == 220s);  // it may be corrected, and is over if nobody sets it until then
}

TEST_CASE("A contest lasts until a minute has gone by in peace", "[flanneld]") {
  MacContest contest;
  CHECK_FALSE(contest.contested_by().has_value());
  contest.corrected(100s);
  contest.settled(100s);
  CHECK_FALSE(contest.contested_by().has_value());
  contest.yielded(kOther);
  CHECK(contest.contested_by() == kOther);
  contest.settled(159s);
  CHECK(contest.contested_by() == kOther);
  contest.settled(160s);
  CHECK_FALSE(contest.contested_by().has_value());
}

}  // namespace
}  // namespace holdfast::flannel
