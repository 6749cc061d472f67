// What egw-access asks of the API server, and what its role allows.

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>

#include "egw-gateway/access/api_pool_source.h"
#include "egw-gateway/access/pool_status.h"
#include "test/catch.h"
#include "test/fakes/log_lines.h"
#include "test/kube_server/http_scene.h"
#include "test/kube_server/manifest_kinds.h"
#include "test/kube_server/role_rules.h"

namespace holdfast::gateway {
namespace {

using nlohmann::json;

constexpr const char* kPools = "/apis/net.holdfast.dev/v1alpha1/edgegateways/";

/// Keeps what a source tells.
struct Diary final : PoolConsumer {
  std::optional<EdgeGateway> last;
  std::set<std::string> gone_pools;

  void told(EdgeGateway gateway) override { last = std::move(gateway); }
  void gone(const std::string& pool) override { gone_pools.insert(pool); }
  void only(const std::set<std::string>& /*pools*/) override {}
  void health(const std::string& /*trouble*/) override {}
};

struct Cloud : test::HttpScene {
  test::ApiServer server{*loop};
  test::LogLines log;
  Diary diary;
  std::unique_ptr<kube::ClusterLink> link =
      kube::ClusterLink::connect(*loop, files, metrics, {.server = server.url()}, "egw-access").value();
  ApiPoolSource source{*loop, *link};
  PoolStatusWriter writer{*loop, *link, log, "one"};

  Cloud() {
    server.heed_bounds();
    test::define_kind(server, std::string(HOLDFAST_MANIFESTS) + "/base/egw-gateway/edgegateways.yaml");
    server.put(kPools + std::string("hz"), {{"spec", {{"vpcCIDRs", {"172.16.0.0/12"}}}}});
    REQUIRE(source.start(diary));
    turn_until([this] { return diary.last.has_value(); });
  }
  /// Empty: it tells nothing of any access point.
  [[nodiscard]] json told_of_point() {
    const json object = *server.find(kPools + std::string("hz"));
    const json points = object.value("/status/accessPoints"_json_pointer, json::array());
    return points.empty() ? json::object() : points.front();
  }
};

TEST_CASE_METHOD(Cloud, "An access point's entry in a pool's status is its last report", "[access]") {
  CHECK(diary.last->pool == "hz");
  writer.write({.pool = "hz", .active = "a"});
  writer.write({.pool = "hz", .active = "b"});
  turn_until([this] { return told_of_point().value("active", "") == "b"; });
  CHECK(told_of_point()["name"] == "one");
  server.remove(kPools + std::string("hz"));
  turn_until([this] { return diary.gone_pools.contains("hz"); });
}

TEST_CASE_METHOD(Cloud,
                 "Each access point has an entry of its own in a pool's status, and leaves the others'",
                 "[access]") {
  const auto other_link =
      kube::ClusterLink::connect(*loop, files, metrics, {.server = server.url()}, "egw-access-two").value();
  PoolStatusWriter other{*loop, *other_link, log, "two"};
  const auto told = [&] {
    const json object = *server.find(kPools + std::string("hz"));
    std::map<std::string, json> out;
    for (const json& each : object.value("/status/accessPoints"_json_pointer, json::array()))
      out[each["name"]] = each["keys"];
    return out;
  };
  writer.write({.pool = "hz", .active = "a", .keys = {"old"}});
  other.write({.pool = "hz", .active = "b", .keys = {"old"}});
  turn_until([&] { return told().size() == 2; });
  other.write({.pool = "hz", .active = "b", .keys = {"new", "old"}});
  turn_until([&] { return told()["two"] == json::array({"new", "old"}); });
  CHECK(told()["one"] == json::array({"old"}));
}

TEST_CASE_METHOD(Cloud, "The role of our manifests allows what egw-access asks for, and nothing else",
                 "[access]") {
  const std::string manifests = HOLDFAST_MANIFESTS "/base/";
  const auto granted =
      test::Roles::in(manifests).bound_to(test::account_in(manifests + "egw-gateway/access.yaml"));
  writer.write(
      {.pool = "hz", .active = "a", .reason = "QuotaExceeded", .message = "the route table has no room"});
  const std::vector<std::string> other{"patch events"};  // of one that is repeated
  turn_until([&] { return test::unasked(granted, server.asked()) == other; });
  CHECK(test::refused(granted, server.asked()) == std::vector<std::string>{});
  for (const char* refused :
       {"get secrets/a in egw-gateway", "patch edgegateways.net.holdfast.dev/hz",
        "update edgegateways.net.holdfast.dev/hz/status", "delete edgegateways.net.holdfast.dev/hz",
        "list nodes", "create pods in egw-gateway"}) {
    INFO(refused);
    CHECK_FALSE(test::allows(granted, refused));
  }
}

}  // namespace
}  // namespace holdfast::gateway
