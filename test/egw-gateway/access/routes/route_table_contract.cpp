#include "test/egw-gateway/access/routes/route_table_contract.h"

#include <algorithm>

#include "egw-gateway/access/routes/route_provider.h"
#include "test/catch.h"

namespace holdfast::test {
namespace {

using gateway::PodRange;
using gateway::Publication;
using gateway::RouteAnswer;
using gateway::RouteDone;
using gateway::RouteOwner;
using gateway::RouteTable;
using gateway::RouteTrouble;
using gateway::TableRoute;
using gateway::TableRoutes;

constexpr std::chrono::milliseconds kPatience = std::chrono::seconds(60);

Cidr cidr(const char* text) { return Cidr::parse(text).value(); }

std::vector<PodRange> pods(TableScene& scene, std::initializer_list<const char*> texts, int tunnel = 0) {
  std::vector<PodRange> out;
  for (const char* text : texts) out.push_back({cidr(text), scene.tunnel(tunnel)});
  return out;
}

std::vector<Cidr> cidrs(std::initializer_list<const char*> texts) {
  std::vector<Cidr> out;
  for (const char* text : texts) out.push_back(cidr(text));
  return out;
}

void publishes(TableRoutes& routes, const std::vector<PodRange>& wanted, const std::vector<Cidr>& standing) {
  const RouteAnswer<Publication> done = routes.publish(wanted, kPatience);
  INFO((done ? std::string() : done.error().message));
  REQUIRE(done.has_value());
  for (const auto& [range, trouble] : done->troubles) {
    FAIL_CHECK(range.to_string() + ": " + trouble.message);
  }
  CHECK(done->standing == standing);
  CHECK(routes.published(kPatience).value() == standing);
}

/// Sees after each change that some addresses are reached.
class WatchedTable final : public RouteTable {
 public:
  WatchedTable(RouteTable& table, std::vector<IpAddress> addresses)
      : table_(table), addresses_(std::move(addresses)) {}
  bool watching = false;
  int changes = 0;

  [[nodiscard]] bool knows_tunnels() const override { return table_.knows_tunnels(); }
  RouteAnswer<std::vector<TableRoute>> list(Patience patience) override { return table_.list(patience); }
  RouteDone put(const PodRange& range, const std::optional<TableRoute>& there, Patience patience) override {
    return look(table_.put(range, there, patience));
  }
  RouteDone drop(const TableRoute& route, Patience patience) override {
    return look(table_.drop(route, patience));
  }

 private:
  RouteDone look(RouteDone done) {
    ++changes;
    if (!watching) return done;
    const auto there = table_.list(kPatience).value();
    for (const IpAddress& address : addresses_) {
      CHECK(std::ranges::any_of(there, [&](const TableRoute& route) {
        return route.owner == RouteOwner::kOurs && route.settled && route.range.contains(address);
      }));
    }
    return done;
  }

  RouteTable& table_;
  std::vector<IpAddress> addresses_;
};

}  // namespace

void check_publishing(TableScene& scene) {
  WatchedTable counted(scene.table(), {});
  TableRoutes routes(counted, scene.clock(), 1);
  publishes(routes, {}, {});
  publishes(routes, pods(scene, {"10.244.1.0/24", "10.244.0.0/24", "10.244.8.0/24"}),
            cidrs({"10.244.0.0/23", "10.244.8.0/24"}));
  const int changes = counted.changes;
  publishes(routes, pods(scene, {"10.244.8.0/24", "10.244.0.0/23"}),
            cidrs({"10.244.0.0/23", "10.244.8.0/24"}));
  CHECK(counted.changes == changes);
  // another program that starts finds what is there
  TableRoutes again(counted, scene.clock(), 2);
  CHECK(again.published(kPatience).value() == cidrs({"10.244.0.0/23", "10.244.8.0/24"}));
  publishes(again, pods(scene, {"10.244.8.0/24", "10.244.9.0/24", "10.250.0.0/16"}),
            cidrs({"10.244.8.0/23", "10.250.0.0/16"}));
  publishes(again, pods(scene, {"10.250.0.0/16", "fd00:244::/48"}),
            cidrs({"10.250.0.0/16", "fd00:244::/48"}));
  publishes(again, pods(scene, {"10.250.0.0/16", "fd00:244::/48"}, 1),
            cidrs({"10.250.0.0/16", "fd00:244::/48"}));
  publishes(again, {}, {});
  publishes(again, {}, {});
}

void check_foreign_routes(TableScene& scene) {
  TableRoutes routes(scene.table(), scene.clock(), 1);
  scene.add_foreign(cidr("10.244.0.0/23"));
  scene.add_foreign(cidr("10.99.0.0/16"));
  const auto done = routes.publish(pods(scene, {"10.244.0.0/23", "10.244.4.0/24"}), kPatience);
  REQUIRE(done.has_value());
  CHECK(done->standing == cidrs({"10.244.4.0/24"}));
  REQUIRE(done->troubles.size() == 1);
  CHECK(done->troubles.at(cidr("10.244.0.0/23")).trouble == RouteTrouble::kForeign);
  publishes(routes, {}, {});
  const auto there = scene.table().list(kPatience).value();
  CHECK(std::ranges::count(there, RouteOwner::kForeign, &TableRoute::owner) == 2);
  CHECK(std::ranges::count(there, RouteOwner::kOurs, &TableRoute::owner) == 0);
}

void check_nothing_is_unreached_meanwhile(TableScene& scene) {
  WatchedTable table(scene.table(),
                     {IpAddress::parse("10.244.0.7").value(), IpAddress::parse("10.244.1.7").value()});
  TableRoutes routes(table, scene.clock(), 1);
  publishes(routes, pods(scene, {"10.244.0.0/24"}), cidrs({"10.244.0.0/24"}));
  publishes(routes, pods(scene, {"10.244.0.0/23"}), cidrs({"10.244.0.0/23"}));
  table.watching = true;
  const int before = table.changes;
  publishes(routes, pods(scene, {"10.244.0.0/22"}), cidrs({"10.244.0.0/22"}));
  publishes(routes, pods(scene, {"10.244.0.0/24", "10.244.1.0/24", "10.5.0.0/16"}),
            cidrs({"10.5.0.0/16", "10.244.0.0/23"}));
  publishes(routes, pods(scene, {"10.244.0.0/23"}, 1), cidrs({"10.244.0.0/23"}));
  CHECK(table.changes > before);
  table.watching = false;
  publishes(routes, {}, {});
}

void check_single_calls(TableScene& scene) {
  RouteTable& table = scene.table();
  const TableRoute absent{
      .range = cidr("10.7.0.0/16"), .owner = RouteOwner::kOurs, .tunnel = scene.tunnel(0)};
  CHECK(table.drop(absent, kPatience).has_value());
  REQUIRE(TableRoutes(table, scene.clock(), 1).publish(pods(scene, {"10.7.0.0/16"}), kPatience).has_value());
  const auto there = table.list(kPatience).value();
  const auto found = std::ranges::find(there, cidr("10.7.0.0/16"), &TableRoute::range);
  REQUIRE(found != there.end());
  CHECK(found->owner == RouteOwner::kOurs);
  CHECK(table.put({cidr("10.7.0.0/16"), scene.tunnel(0)}, *found, kPatience).has_value());
  CHECK(table.drop(*found, kPatience).has_value());
  CHECK(table.drop(*found, kPatience).has_value());
}

}  // namespace holdfast::test
