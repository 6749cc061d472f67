#include "cni-flannel/daemon/mtu_search.h"

#include <functional>

#include "test/catch.h"

namespace holdfast::flannel {
namespace {

using Kind = EchoAnswer::Kind;
using Way = std::function<EchoAnswer(std::uint32_t bytes)>;

/// Up to `mtu` bytes are answered, others get what `beyond` says.
Way way(std::uint32_t mtu, EchoAnswer beyond) {
  return [=](std::uint32_t bytes) { return bytes <= mtu ? EchoAnswer{Kind::kAnswered, 0} : beyond; };
}

struct Case {
  const char* name;
  Way way;
  PathMtu found;
  unsigned most;  ///< requests that it may take
};

const Case kCases[] = {
    {"all passes", way(1500, {Kind::kSilent, 0}), {PathMtu::Kind::kEnough, 0}, 1},
    {"a router tells", way(1400, {Kind::kTooBig, 1400}), {PathMtu::Kind::kTooSmall, 1400}, 2},
    {"two routers tell, one after the other",
     [](std::uint32_t bytes) {
       if (bytes > 1450) return EchoAnswer{Kind::kTooBig, 1450};
       return bytes > 1320 ? EchoAnswer{Kind::kTooBig, 1320} : EchoAnswer{Kind::kAnswered, 0};
     },
     {PathMtu::Kind::kTooSmall, 1320},
     3},
    {"our own link does not take it, and tells no size",
     way(1492, {Kind::kTooBig, 0}),
     {PathMtu::Kind::kTooSmall, 1492},
     12},
    {"a router tells nonsense", way(1400, {Kind::kTooBig, 68}), {PathMtu::Kind::kTooSmall, 1400}, 12},
    {"a router tells more than was asked",
     way(1400, {Kind::kTooBig, 9000}),
     {PathMtu::Kind::kTooSmall, 1400},
     12},
    {"large packets vanish", way(1412, {Kind::kSilent, 0}), {PathMtu::Kind::kTooSmall, 1412}, 22},
    {"nobody answers", way(0, {Kind::kSilent, 0}), {PathMtu::Kind::kUnknown, 0}, 4},
    {"there is no way", way(0, {Kind::kUnreachable, 0}), {PathMtu::Kind::kUnknown, 0}, 1},
};

TEST_CASE("What a way takes is found with few requests", "[flanneld]") {
  for (const Case& c : kCases) {
    DYNAMIC_SECTION(c.name) {
      MtuSearch search(1500, 576);
      unsigned requests = 0;
      while (const auto bytes = search.next()) {
        REQUIRE(++requests <= c.most);
        CHECK(*bytes <= 1500);
        search.take(c.way(*bytes));
      }
      REQUIRE(search.found().has_value());
      CHECK(search.found()->kind == c.found.kind);
      // to within the grain, and never more than what passes
      CHECK(search.found()->bytes <= c.found.bytes);
      CHECK(search.found()->bytes + kMtuGrain > c.found.bytes);
    }
  }
}

TEST_CASE("One lost packet is not taken for a way that is too small", "[flanneld]") {
  MtuSearch search(1500, 576);
  search.take({Kind::kSilent, 0});
  CHECK(search.next() == 1500);
  search.take({Kind::kAnswered, 0});
  CHECK(search.found() == PathMtu{PathMtu::Kind::kEnough, 0});
}

}  // namespace
}  // namespace holdfast::flannel
