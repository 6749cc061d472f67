#include "egw-gateway/access/published_ranges.h"

#include "test/catch.h"

namespace holdfast::gateway {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

Cidr cidr(const char* text) { return Cidr::parse(text).value(); }

/// Two pools of an access point, of which each has the gateways a and b.
struct Pools {
  Pools() {
    add("one", "10.1.0.0/16", {"198.19.0.0", "198.19.0.1"}, 11);
    add("two", "10.2.0.0/16", {"198.19.0.2", "198.19.0.3"}, 21);
  }
  void add(const char* name, const char* pods, const std::vector<const char*>& addresses, int link) {
    ServedPool pool{.name = name, .pods = {cidr(pods)}, .addresses = {}};
    PoolSight sight{.active = "a", .seen_since = now};
    for (const char* gateway : {"a", "b"}) {
      GatewayWay way{.name = {name, gateway}};
      way.addresses = {IpAddress::parse(addresses[pool.ways.size()]).value()};
      sight.ways[gateway] = {.ifindex = link++, .state = LivenessState::kUp};
      pool.ways.push_back(way);
    }
    pools.push_back(pool);
    sights[name] = sight;
  }
  void tell(const char* pool, const char* gateway, bool up) {
    WaySight& way = sights.at(pool).ways.at(gateway);
    way.state = up ? LivenessState::kUp : LivenessState::kDown;
    if (!up) way.went_down = now;
  }
  void choose(const char* pool, const char* active) {
    PoolSight& sight = sights.at(pool);
    if (*active == 0 && !sight.active.empty()) sight.lost = now;
    sight.active = active;
  }
  [[nodiscard]] PublishedRanges published() const { return published_ranges(pools, sights, now); }
  /// Where this machine's table leads with the range; 0: nowhere.
  [[nodiscard]] int here(const char* range) const { return in(published().here, range); }
  /// The same of the VPC's.
  [[nodiscard]] bool in_vpc(const char* range) const {
    const PublishedRanges all = published();
    REQUIRE(all.vpc.has_value());
    return in(*all.vpc, range) != 0;
  }
  static int in(const std::vector<PodRange>& ranges, const char* range) {
    for (const PodRange& each : ranges) {
      if (each.range == cidr(range)) return each.tunnel;
    }
    return -1;
  }

  nanoseconds now = 1h;
  std::vector<ServedPool> pools;
  std::map<std::string, PoolSight> sights;
};

TEST_CASE_METHOD(Pools, "Pods are where the gateway is that was chosen, and each gateway at its own link",
                 "[access]") {
  CHECK(here("10.1.0.0/16") == 11);
  CHECK(here("10.2.0.0/16") == 21);
  CHECK(here("198.19.0.1/32") == 12);
  CHECK(in_vpc("10.1.0.0/16"));
  CHECK(in_vpc("198.19.0.3/32"));
  CHECK_FALSE(published().time_matters);
}

TEST_CASE_METHOD(Pools, "A gateway that comes and goes changes nothing of what others are told", "[access]") {
  const PublishedRanges before = published();
  bool up = true;
  for (int second = 0; second < 60; ++second) {
    now += 1s;
    tell("one", "b", up = !up);
    const PublishedRanges after = published();
    CHECK(after.here == before.here);
    CHECK(after.vpc == before.vpc);
  }
  // one that stays away is told of
  tell("one", "b", false);
  CHECK(published().time_matters);
  now += kHoldDown;
  CHECK(here("198.19.0.1/32") == 0);
  CHECK_FALSE(in_vpc("198.19.0.1/32"));
  CHECK(here("10.1.0.0/16") == 11);
  CHECK_FALSE(published().time_matters);
}

TEST_CASE_METHOD(Pools,
                 "A pool that has lost its gateways leaves this table at once and the VPC's after a while",
                 "[access]") {
  tell("one", "a", false);
  tell("one", "b", false);
  choose("one", "");
  CHECK(here("10.1.0.0/16") == 0);
  CHECK(in_vpc("10.1.0.0/16"));
  CHECK(published().time_matters);
  CHECK(here("10.2.0.0/16") == 21);
  now += kHoldDown;
  CHECK_FALSE(in_vpc("10.1.0.0/16"));
  CHECK(in_vpc("10.2.0.0/16"));
  tell("one", "b", true);
  choose("one", "b");
  CHECK(in_vpc("10.1.0.0/16"));
  CHECK(here("10.1.0.0/16") == 12);
}

TEST_CASE_METHOD(Pools,
                 "After a start the VPC's table is left as it is until each gateway is heard or missed",
                 "[access]") {
  PoolSight& sight = sights.at("one");
  sight.active.clear();
  for (auto& [name, way] : sight.ways) way.state = LivenessState::kUnknown;
  CHECK_FALSE(published().vpc.has_value());
  CHECK(published().time_matters);
  CHECK(here("198.19.0.0/32") == 11);  // it may live
  tell("one", "a", true);
  choose("one", "a");
  CHECK_FALSE(published().vpc.has_value());
  SECTION("the other is heard") {
    tell("one", "b", true);
    CHECK(in_vpc("198.19.0.1/32"));
  }
  SECTION("the other is missed") {
    sight.ways.at("b").state = LivenessState::kDown;
    CHECK(in_vpc("10.1.0.0/16"));
    CHECK_FALSE(in_vpc("198.19.0.1/32"));
  }
  SECTION("the other's tunnel cannot be made") {
    sight.ways.at("b").ifindex = 0;
    CHECK_FALSE(published().vpc.has_value());
    now += kFirstWord;
    CHECK(in_vpc("10.1.0.0/16"));
    CHECK_FALSE(published().time_matters);
  }
}

}  // namespace
}  // namespace holdfast::gateway
