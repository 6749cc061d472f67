#include "egw-gateway/access/routes/alibaba_table.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "egw-gateway/access/routes/route_provider.h"
#include "egw-gateway/access/sim/vpc_service.h"
#include "test/catch.h"
#include "test/cloud/sim_cloud.h"
#include "test/egw-gateway/access/routes/route_table_contract.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::gateway {
namespace {

using cloud::sim::Fault;
using nlohmann::json;

constexpr std::chrono::milliseconds kPatience = std::chrono::seconds(60);

Cidr cidr(const std::string& text) { return Cidr::parse(text).value(); }

/// A simulated VPC with two access points, of which each has a table object of its own.
struct Vpc : test::TableScene {
  explicit Vpc(std::chrono::seconds settling = {}, std::string cen_id = {})
      : service(clock_, settling), sim(service, folder / "state"), cen(std::move(cen_id)) {}

  RouteTable& table() override { return one; }
  Clock& clock() override { return clock_; }
  void add_foreign(const Cidr& range) override { add(range, "i-other", ""); }
  int tunnel(int /*number*/) override { return 1; }

  void add(const Cidr& range, const std::string& hop, const std::string& name) {
    tell("entry", {{"table", "vtb-1"}, {"range", range.to_string()}, {"hop", hop}, {"name", name}});
  }
  void tell(const std::string& what, const json& body) {
    const auto told =
        http.exchange({.method = "POST", .url = sim.url() + "/sim/" + what, .body = body.dump()}, kPatience);
    REQUIRE(told.has_value());
    REQUIRE(told->status == 200);
  }
  [[nodiscard]] std::string hop_of(const std::string& range) {
    const json all = sim.state()["tables"]["vtb-1"];
    return all.contains(range) ? all[range]["hop"].get<std::string>() : "";
  }
  [[nodiscard]] VpcPlace place(const std::string& hop, const std::string& peer) const {
    VpcPlace out{.region = "cn-beijing",
                 .route_table = "vtb-1",
                 .next_hop = hop,
                 .next_hop_type = "NetworkInterface",
                 .peers = {peer}};
    out.cen = cen;
    out.vpc = "vpc-1";
    return out;
  }

  test::TemporaryFolder folder;
  SystemClock clock_;
  VpcService service;
  test::SimCloud sim;
  std::string cen;
  cloud::CurlClient http{"test"};
  test::FixedCredentials credentials;
  cloud::AlibabaApi vpc_api{
      http, credentials, clock_, {.url = sim.url(), .version = std::string(AlibabaTable::kVpcVersion)}};
  cloud::AlibabaApi cen_api{
      http, credentials, clock_, {.url = sim.url(), .version = std::string(AlibabaTable::kCenVersion)}};
  AlibabaTable one{vpc_api, cen_api, place("eni-1", "eni-2")};
  AlibabaTable other{vpc_api, cen_api, place("eni-2", "eni-1")};
  TableRoutes routes{one, clock_, 1};
  TableRoutes others{other, clock_, 2};
};

TEST_CASE("A VPC's table keeps what a route table promises", "[egw-access]") {
  SECTION("publishing") {
    Vpc vpc;
    check_publishing(vpc);
  }
  SECTION("foreign routes") {
    Vpc vpc;
    check_foreign_routes(vpc);
  }
  SECTION("nothing is unreached meanwhile") {
    Vpc vpc;
    check_nothing_is_unreached_meanwhile(vpc);
  }
  SECTION("single calls") {
    Vpc vpc;
    check_single_calls(vpc);
  }
}

TEST_CASE("So does one that finishes later, takes one change at a time, and tells a CEN", "[egw-access]") {
  Vpc vpc(std::chrono::seconds(1), "cen-1");
  const auto done = vpc.routes.publish({{cidr("10.1.0.0/16"), 1}, {cidr("10.3.0.0/16"), 1}}, kPatience);
  REQUIRE(done.has_value());
  CHECK(done->troubles.empty());
  CHECK(done->standing == std::vector{cidr("10.1.0.0/16"), cidr("10.3.0.0/16")});
  CHECK(vpc.sim.state()["published"]["cen-1"].size() == 2);
  REQUIRE(vpc.routes.publish({{cidr("10.3.0.0/16"), 1}}, kPatience).has_value());
  CHECK(vpc.sim.state()["published"]["cen-1"].size() == 1);
  CHECK(vpc.sim.calls()["WithdrawPublishedRouteEntries"] == 1);
}

TEST_CASE_METHOD(Vpc, "A table that is full is a trouble of what found no room, with the cure",
                 "[egw-access]") {
  tell("most", {{"entries", 48}});
  for (int n = 0; n < 46; ++n) add(cidr("172.16." + std::to_string(n) + ".0/24"), "i-other", "");
  const std::vector<PodRange> three = {
      {cidr("10.1.0.0/16"), 1}, {cidr("10.3.0.0/16"), 1}, {cidr("10.5.0.0/16"), 1}};
  const auto full = routes.publish(three, kPatience);
  REQUIRE(full.has_value());
  CHECK(full->standing.size() == 2);
  REQUIRE(full->troubles.size() == 1);
  const RouteError& trouble = full->troubles.begin()->second;
  CHECK(trouble.trouble == RouteTrouble::kQuota);
  CHECK(to_string(trouble.trouble) == "QuotaExceeded");
  CHECK(trouble.message.find("vpc_quota_route_entrys_num") != std::string::npos);
  // room that somebody makes is used by the next look
  tell("entry", {{"table", "vtb-1"}, {"range", "172.16.0.0/24"}, {"hop", ""}});
  CHECK(routes.publish(three, kPatience)->troubles.empty());
}

TEST_CASE_METHOD(Vpc, "A range goes from one access point to the other and back in its place",
                 "[egw-access]") {
  const PodRange mine{cidr("10.1.0.0/16"), 1, true};
  const PodRange if_free{cidr("10.1.0.0/16"), 1, false};
  REQUIRE(routes.publish({mine}, kPatience)->standing.size() == 1);
  const auto polite = others.publish({if_free}, kPatience);
  CHECK(polite->standing.empty());
  CHECK(polite->troubles.empty());
  CHECK(hop_of("10.1.0.0/16") == "eni-1");
  CHECK(others.publish({mine}, kPatience)->standing.size() == 1);
  CHECK(hop_of("10.1.0.0/16") == "eni-2");
  // who has lost it takes nothing away
  CHECK(routes.publish({}, kPatience)->troubles.empty());
  CHECK(hop_of("10.1.0.0/16") == "eni-2");
  CHECK(others.publish({}, kPatience)->troubles.empty());
  CHECK(routes.publish({if_free}, kPatience)->standing.size() == 1);
  CHECK(sim.calls()["DeleteRouteEntry"] == 1);
  CHECK(sim.calls()["ModifyRouteEntry"] == 1);
}

TEST_CASE_METHOD(Vpc, "A removal that comes after another has taken the range does not remove it",
                 "[egw-access]") {
  REQUIRE(routes.publish({{cidr("10.1.0.0/16"), 1}}, kPatience).has_value());
  const auto seen = one.list(kPatience).value();
  REQUIRE(others.publish({{cidr("10.1.0.0/16"), 1}}, kPatience).has_value());
  CHECK(one.drop(seen.front(), kPatience).has_value());
  CHECK(hop_of("10.1.0.0/16") == "eni-2");
}

TEST_CASE_METHOD(Vpc, "Entries of our next hop that we did not make are somebody else's", "[egw-access]") {
  add(cidr("10.1.0.0/16"), "eni-1", "made by hand");
  CHECK(routes.publish({}, kPatience)->troubles.empty());
  CHECK(hop_of("10.1.0.0/16") == "eni-1");
  const auto done = routes.publish({{cidr("10.1.0.0/16"), 1}}, kPatience);
  CHECK(done->troubles.at(cidr("10.1.0.0/16")).trouble == RouteTrouble::kForeign);
}

TEST_CASE_METHOD(Vpc, "Whatever goes wrong with a call, its effect is there once in the end",
                 "[egw-access]") {
  using When = Fault::When;
  using How = Fault::How;
  for (const char* action : {"DescribeRouteEntryList", "CreateRouteEntry", "DeleteRouteEntry"}) {
    for (const auto& [when, how, name] : {std::tuple{When::kBefore, How::kDrop, "dropped before"},
                                          std::tuple{When::kAfter, How::kDrop, "dropped after"},
                                          std::tuple{When::kBefore, How::kError, "error before"},
                                          std::tuple{When::kAfter, How::kError, "error after"},
                                          std::tuple{When::kBefore, How::kThrottle, "throttled"}}) {
      INFO(action << " " << name);
      sim.add_fault({.action = action, .when = when, .how = how, .times = 2});
      const auto there = routes.publish({{cidr("10.1.0.0/16"), 1}}, kPatience);
      REQUIRE(there.has_value());
      CHECK(there->troubles.empty());
      CHECK(there->standing == std::vector{cidr("10.1.0.0/16")});
      CHECK(hop_of("10.1.0.0/16") == "eni-1");
      const auto gone = routes.publish({}, kPatience);
      REQUIRE(gone.has_value());
      CHECK(gone->troubles.empty());
      CHECK(hop_of("10.1.0.0/16").empty());
      sim.clear_faults();
    }
  }
}

TEST_CASE_METHOD(Vpc, "A cloud that does not answer ends with the caller's patience", "[egw-access]") {
  sim.add_fault({.action = "CreateRouteEntry", .how = Fault::How::kHang, .times = -1});
  const auto done = routes.publish({{cidr("10.1.0.0/16"), 1}}, std::chrono::seconds(2));
  REQUIRE(done.has_value());
  CHECK(done->troubles.at(cidr("10.1.0.0/16")).trouble == RouteTrouble::kUnknown);
  sim.clear_faults();
  sim.add_fault({.action = "DescribeRouteEntryList", .how = Fault::How::kHang, .times = -1});
  CHECK(routes.published(std::chrono::seconds(1)).error().trouble == RouteTrouble::kUnknown);
}

TEST_CASE_METHOD(Vpc, "A cloud that refuses is told, and keeps its reasons", "[egw-access]") {
  sim.add_fault(
      {.action = "CreateRouteEntry", .how = Fault::How::kRefuse, .code = "Forbidden.RAM", .times = -1});
  const auto denied = routes.publish({{cidr("10.1.0.0/16"), 1}}, kPatience);
  CHECK(denied->troubles.at(cidr("10.1.0.0/16")).trouble == RouteTrouble::kRefused);
  CHECK(denied->troubles.at(cidr("10.1.0.0/16")).message.find("Forbidden.RAM") != std::string::npos);
  sim.clear_faults();
  sim.add_fault({.action = "DescribeRouteEntryList",
                 .how = Fault::How::kRefuse,
                 .code = "InvalidRouteTableId.NotFound"});
  CHECK(routes.publish({}, kPatience).error().trouble == RouteTrouble::kRefused);
}

TEST_CASE_METHOD(Vpc, "A table of many entries is read whole", "[egw-access]") {
  for (int n = 0; n < 230; ++n) {
    add(cidr("172.16." + std::to_string(n) + ".0/24"), n % 2 == 0 ? "eni-1" : "i-other", "holdfast");
  }
  CHECK(one.list(kPatience).value().size() == 230);
  CHECK(routes.published(kPatience).value().size() == 115);
}

TEST_CASE("Answers of another shape than the API's are no answers", "[egw-access]") {
  const json bad[] = {json::object(),
                      json::array(),
                      {{"RouteEntrys", json::array()}},
                      {{"RouteEntrys", {{"RouteEntry", {{"x", 1}}}}}},
                      {{"RouteEntrys", {{"RouteEntry", {"x"}}}}},
                      {{"RouteEntrys", {{"RouteEntry", {{{"Type", 1}}}}}}},
                      {{"RouteEntrys", {{"RouteEntry", json::array()}}}, {"NextToken", 5}}};
  for (const json& answer : bad) {
    INFO(answer.dump());
    CHECK_FALSE(read_route_entries(answer).has_value());
    CHECK_FALSE(read_published_entries(answer).has_value());
  }
  const json good = {{"RouteEntrys",
                      {{"RouteEntry",
                        {{{"DestinationCidrBlock", "10.0.0.0/8"},
                          {"Type", "Custom"},
                          {"Status", "Available"},
                          {"InstanceId", "i-1"},
                          {"NextHops", {{"NextHop", {{{"NextHopId", "i-1"}}, {{"NextHopId", "i-2"}}}}}}}}}}}};
  CHECK(read_route_entries(good)->entries.front().next_hops == std::vector<std::string>{"i-1", "i-2"});
}

TEST_CASE("What the cloud's codes mean for a route", "[egw-access]") {
  struct Case {
    cloud::CallEnd end;
    const char* code;
    RouteTrouble trouble;
  };
  using enum cloud::CallEnd;
  const Case cases[] = {{kRefused, "QuotaExceeded", RouteTrouble::kQuota},
                        {kRefused, "TaskConflict", RouteTrouble::kBusy},
                        {kRefused, "IncorrectRouteEntryStatus", RouteTrouble::kBusy},
                        {kRefused, "InvalidOperation.CenInstanceStatus", RouteTrouble::kBusy},
                        {kRefused, "RouterEntryConflict.Duplicated", RouteTrouble::kBusy},
                        {kRefused, "InvalidCidrBlock.Overlapped", RouteTrouble::kRefused},
                        {kNoSuchThing, "InvalidRouteTableId.NotFound", RouteTrouble::kRefused},
                        {kThrottled, "Throttling.User", RouteTrouble::kBusy},
                        {kNotSent, "", RouteTrouble::kBusy},
                        {kUnknownOutcome, "", RouteTrouble::kUnknown}};
  for (const Case& c : cases) {
    INFO(c.code);
    CHECK(to_route_error({.end = c.end, .code = c.code}).trouble == c.trouble);
  }
}

}  // namespace
}  // namespace holdfast::gateway
