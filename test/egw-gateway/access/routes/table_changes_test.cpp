#include "egw-gateway/access/routes/table_changes.h"

#include "egw-gateway/access/routes/route_provider.h"
#include "test/catch.h"
#include "test/fakes/fake_clock.h"

namespace holdfast::gateway {
namespace {

Cidr cidr(const char* text) { return Cidr::parse(text).value(); }
TableRoute ours(const char* range, int tunnel = 3) {
  return {.range = cidr(range), .owner = RouteOwner::kOurs, .tunnel = tunnel};
}

TEST_CASE("Ranges of one tunnel are published together, and those without a gateway that is alive are not",
          "[egw-access]") {
  const std::vector<PodRange> ranges = {
      {cidr("10.0.1.0/24"), 3}, {cidr("10.0.0.0/24"), 3}, {cidr("10.0.2.0/24"), 4}, {cidr("10.0.3.0/24"), 0}};
  CHECK(aggregate(ranges, true) == std::vector<PodRange>{{cidr("10.0.0.0/23"), 3}, {cidr("10.0.2.0/24"), 4}});
  CHECK(aggregate(ranges, false) ==
        std::vector<PodRange>{{cidr("10.0.0.0/23"), 0}, {cidr("10.0.2.0/24"), 0}});
}

TEST_CASE("Halves go when what takes their place stands, and what nobody wants goes first", "[egw-access]") {
  const std::vector<PodRange> wanted = {{cidr("10.0.0.0/23"), 3}};
  std::vector<TableRoute> there = {ours("10.0.0.0/24"), ours("10.0.1.0/24"), ours("10.9.0.0/24")};
  TableChanges plan = plan_routes(wanted, there, {});
  CHECK(plan.drops == std::vector{there[2]});
  CHECK(plan.puts == std::vector<TableChanges::Put>{{wanted[0], std::nullopt}});
  CHECK(plan.late_drops.empty());

  there = {ours("10.0.0.0/24"), ours("10.0.1.0/24"), ours("10.0.0.0/23")};
  there[2].settled = false;
  plan = plan_routes(wanted, there, {});
  CHECK(plan.settling == std::vector{cidr("10.0.0.0/23")});
  CHECK(plan.late_drops.empty());
  there[2].settled = true;
  plan = plan_routes(wanted, there, {});
  CHECK(plan.late_drops == std::vector{there[0], there[1]});

  // a table that is full leaves the halves where they are
  plan =
      plan_routes(wanted, {there[0], there[1]}, {{cidr("10.0.0.0/23"), {RouteTrouble::kQuota, "full", {}}}});
  CHECK(plan.done());
  CHECK(plan.troubles.at(cidr("10.0.0.0/23")).trouble == RouteTrouble::kQuota);
}

TEST_CASE("What is others' is left alone, and a peer's is taken when it is to be", "[egw-access]") {
  TableRoute peers = ours("10.0.0.0/24");
  peers.owner = RouteOwner::kPeers;
  const TableChanges taken = plan_routes({{cidr("10.0.0.0/24"), 0, true}}, {peers}, {});
  CHECK(taken.puts == std::vector<TableChanges::Put>{{{cidr("10.0.0.0/24"), 0, true}, peers}});
  const TableChanges left = plan_routes({{cidr("10.0.0.0/24"), 0, false}}, {peers}, {});
  CHECK(left.done());
  CHECK(left.standing.empty());
  CHECK(left.troubles.empty());
  CHECK(plan_routes({}, {peers}, {}).done());

  TableRoute foreign = peers;
  foreign.owner = RouteOwner::kForeign;
  const TableChanges refused = plan_routes({{cidr("10.0.0.0/24"), 0, true}}, {foreign}, {});
  CHECK(refused.done());
  CHECK(refused.troubles.at(cidr("10.0.0.0/24")).trouble == RouteTrouble::kForeign);
  CHECK(plan_routes({}, {foreign}, {}).done());
}

TEST_CASE("A route that leads into another tunnel, or is half done, is put in its place", "[egw-access]") {
  const PodRange wanted{cidr("10.0.0.0/24"), 4};
  CHECK(plan_routes({wanted}, {ours("10.0.0.0/24", 3)}, {}).puts ==
        std::vector<TableChanges::Put>{{wanted, ours("10.0.0.0/24", 3)}});
  TableRoute half = ours("10.0.0.0/24", 4);
  half.complete = false;
  CHECK(plan_routes({wanted}, {half}, {}).puts == std::vector<TableChanges::Put>{{wanted, half}});
  CHECK(plan_routes({wanted}, {ours("10.0.0.0/24", 4)}, {}).standing == std::vector{wanted.range});
}

/// Answers as it is told.
class ToldTable final : public RouteTable {
 public:
  std::vector<TableRoute> there;
  std::vector<RouteError> errors;  ///< of the next calls that change something, the first first
  int lists = 0;
  int list_failures = 0;
  std::size_t room = 100;
  bool shows_nothing = false;

  [[nodiscard]] bool knows_tunnels() const override { return true; }
  RouteAnswer<std::vector<TableRoute>> list(Patience /*patience*/) override {
    ++lists;
    if (list_failures > 0) {
      --list_failures;
      return tl::unexpected(RouteError{RouteTrouble::kBusy, "throttled", {}});
    }
    return shows_nothing ? std::vector<TableRoute>() : there;
  }
  RouteDone put(const PodRange& range, const std::optional<TableRoute>& before,
                Patience /*patience*/) override {
    if (auto error = next_error()) return tl::unexpected(*error);
    if (!before && there.size() >= room) return tl::unexpected(RouteError{RouteTrouble::kQuota, "full", {}});
    std::erase_if(there, [&](const TableRoute& each) { return each.range == range.range; });
    there.push_back({.range = range.range, .owner = RouteOwner::kOurs, .tunnel = range.tunnel});
    return {};
  }
  RouteDone drop(const TableRoute& route, Patience /*patience*/) override {
    if (auto error = next_error()) return tl::unexpected(*error);
    std::erase_if(there, [&](const TableRoute& each) { return each.range == route.range; });
    return {};
  }

 private:
  std::optional<RouteError> next_error() {
    if (errors.empty()) return {};
    RouteError out = errors.front();
    errors.erase(errors.begin());
    return out;
  }
};

struct Publishing {
  ToldTable table;
  test::FakeClock clock;
  TableRoutes routes{table, clock, 1};
  std::vector<PodRange> wanted{{cidr("10.0.0.0/24"), 3}, {cidr("10.2.0.0/24"), 3}};
};

TEST_CASE_METHOD(Publishing, "What is busy or may have been done is tried until it is done", "[egw-access]") {
  table.list_failures = 2;
  table.errors = {{RouteTrouble::kBusy, "task conflict", {}},
                  {RouteTrouble::kUnknown, "no answer", {}},
                  {RouteTrouble::kBusy, "throttled", std::chrono::seconds(7)}};
  const auto done = routes.publish(wanted, std::chrono::minutes(2));
  REQUIRE(done.has_value());
  CHECK(done->troubles.empty());
  CHECK(done->standing == std::vector{cidr("10.0.0.0/24"), cidr("10.2.0.0/24")});
  CHECK(clock.slept >= std::chrono::seconds(7));
  CHECK(clock.slept < std::chrono::minutes(1));
}

TEST_CASE_METHOD(Publishing, "What is not done in time is told, and so is a table that tells nothing",
                 "[egw-access]") {
  table.errors.assign(1000, {RouteTrouble::kUnknown, "no answer", {}});
  const auto done = routes.publish(wanted, std::chrono::seconds(30));
  REQUIRE(done.has_value());
  CHECK(done->standing.empty());
  CHECK(done->troubles.at(cidr("10.0.0.0/24")).trouble == RouteTrouble::kUnknown);
  CHECK(done->troubles.at(cidr("10.2.0.0/24")).trouble == RouteTrouble::kBusy);
  CHECK(clock.slept <= std::chrono::seconds(30));
  table.list_failures = 1000;
  CHECK(routes.publish(wanted, std::chrono::seconds(30)).error().message == "throttled");
  CHECK(routes.published(std::chrono::seconds(30)).error().message == "throttled");
}

TEST_CASE_METHOD(Publishing, "One that is refused keeps none of the others", "[egw-access]") {
  table.errors = {{RouteTrouble::kRefused, "in a vSwitch", {}}};
  const auto done = routes.publish(wanted, std::chrono::seconds(30));
  REQUIRE(done.has_value());
  CHECK(done->standing == std::vector{cidr("10.2.0.0/24")});
  CHECK(done->troubles.at(cidr("10.0.0.0/24")).message == "in a vSwitch");
  CHECK(clock.slept == std::chrono::nanoseconds(0));
}

TEST_CASE_METHOD(Publishing, "A table that is full holds what it can, and makes room first", "[egw-access]") {
  table.room = 2;
  REQUIRE(routes.publish({{cidr("10.7.0.0/24"), 3}, {cidr("10.0.0.0/24"), 3}}, std::chrono::seconds(30)));
  const auto other = routes.publish(wanted, std::chrono::seconds(30));
  CHECK(other->troubles.empty());
  CHECK(other->standing.size() == 2);
  wanted.push_back({cidr("10.8.0.0/24"), 3});
  const auto full = routes.publish(wanted, std::chrono::seconds(30));
  CHECK(full->standing.size() == 2);
  REQUIRE(full->troubles.size() == 1);
  CHECK(full->troubles.at(cidr("10.8.0.0/24")).trouble == RouteTrouble::kQuota);
}

TEST_CASE_METHOD(Publishing, "A table that does not show what was put is not put to for ever",
                 "[egw-access]") {
  table.shows_nothing = true;
  const auto done = routes.publish(wanted, std::chrono::seconds(30));
  REQUIRE(done.has_value());
  CHECK(done->troubles.size() == 2);
  CHECK(table.lists < 100);
}

}  // namespace
}  // namespace holdfast::gateway
