// What is read from others: connections, keys, objects.

#include <nlohmann/json.hpp>

#include "common/base/base64.h"
#include "egw-gateway/controller/connections.h"
#include "egw-gateway/controller/gateway_keys.h"
#include "egw-gateway/controller/pool_names.h"
#include "egw-gateway/controller/seen_objects.h"
#include "test/catch.h"
#include "test/egw-gateway/controller/plan_scene.h"

namespace holdfast::gateway {
namespace {

using nlohmann::json;

TEST_CASE("Connections are found by their three ids", "[egw controller]") {
  const auto connections = parse_connections(test::kConnections);
  REQUIRE(connections.has_value());
  const Connection* found = find_connection(*connections, "cen-1", "ccn-1", "cn-shanghai");
  REQUIRE(found != nullptr);
  CHECK(found->gateway.access_points.front().port == 51820);
  CHECK(find_connection(*connections, "cen-1", "ccn-1", "eu-central-1") == nullptr);
  CHECK(parse_connections("")->empty());
}

constexpr const char* kPoint =
    ", accessPoints: [{name: one, address: 203.0.113.9, port: 51820, publicKey: "
    "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=}]";

TEST_CASE("Connections that could not be used are refused, with where", "[egw controller]") {
  struct Case {
    const char* name;
    std::string text;
    const char* error;
  };
  const std::string ids = "- {cenId: a, ccnId: b, ccnRegion: c";
  const std::string point = "{name: one, address: 203.0.113.9, port: 51820, publicKey: nonsense}";
  std::string scattered;
  for (int n = 0; n < 100; ++n) {
    const auto part = [n](int step) { return std::to_string(n * step % 256); };
    scattered += ", 10." + part(37) + "." + part(101) + "." + part(59) + "/32";
  }
  const Case cases[] = {
      {"exempt addresses that lie scattered",
       ids + ", vpcCIDRs: [10.0.0.0/8], exemptCIDRs: [" + scattered.substr(2) + "]" + kPoint + "}",
       "connections[0]: by what is exempt in them the ranges fall into"},
      {"no YAML", "[", ""},
      {"no list", "{}", "connections"},
      {"no id", "- {cenId: ''}", "connections[0].cenId"},
      {"no ranges", ids + "}", "vpcCIDRs: is missing"},
      {"no access points", ids + ", vpcCIDRs: [10.0.0.0/8]}", "accessPoints: is missing"},
      {"all the world", ids + ", vpcCIDRs: [0.0.0.0/0]}", "holds everything"},
      {"no key", ids + ", vpcCIDRs: [10.0.0.0/8], accessPoints: [" + point + "]}",
       "is not 32 bytes in base64"},
      {"twice the same", std::string(test::kConnections) + test::kConnections,
       "another entry has the same ids"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const auto parsed = parse_connections(c.text);
      REQUIRE_FALSE(parsed.has_value());
      CHECK_THAT(parsed.error().message, Catch::Contains(c.error));
      CHECK(parsed.error().code == Code::kInvalidArgument);
    }
  }
}

TEST_CASE("Services among a connection's ranges are exempt, but never a whole range", "[egw controller]") {
  const auto exempt = [](const char* services) {
    return parse_connections(test::kConnections, services)->front().gateway.exempt_cidrs;
  };
  CHECK(exempt("").empty());
  CHECK(exempt("10.64.0.0/16").empty());
  CHECK(exempt("172.21.0.0/20, fd00:21::/112") == std::vector{Cidr::parse("172.21.0.0/20").value()});
  for (const char* services : {"172.16.0.0/12", "172.0.0.0/8", "nonsense", "0.0.0.0/0"}) {
    INFO(services);
    CHECK_THAT(parse_connections(test::kConnections, services).error().message,
               Catch::Contains("serviceCIDRs"));
  }
}

// RFC 7748 section 6.1: Alice's keys.
TEST_CASE("Public keys are those of RFC 7748", "[egw controller]") {
  CHECK(public_key_of("dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=").value() ==
        "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=");
  CHECK_FALSE(public_key_of("").has_value());
  CHECK_FALSE(public_key_of("AAAA").has_value());
}

TEST_CASE("Fresh keys are whole, and never the same twice", "[egw controller]") {
  const FreshKeys one = make_fresh_keys().value();
  const FreshKeys two = make_fresh_keys().value();
  CHECK(one.a.private_key != one.b.private_key);
  CHECK(one.a.private_key != two.a.private_key);
  CHECK(one.liveness != two.liveness);
  CHECK(public_key_of(one.a.private_key).value() == one.a.public_key);
  const std::string secret = decode_base64(one.a.private_key).value();
  CHECK((static_cast<unsigned char>(secret.front()) & 7U) == 0);
  CHECK((static_cast<unsigned char>(secret.back()) & 0xc0U) == 0x40);
}

TEST_CASE("A node's pools, architecture and own addresses are read from where they stand",
          "[egw controller]") {
  const json node{{"metadata",
                   {{"name", "box"},
                    {"labels",
                     {{"apps.openyurt.io/nodepool", "site"},
                      {"openyurt.io/desired-nodepool", "site"},
                      {"apps.openyurt.io/desired-nodepool", "other"}}}}},
                  {"status",
                   {{"nodeInfo", {{"architecture", "arm64"}}},
                    {"addresses", json::array({{{"type", "InternalIP"}, {"address", "192.0.2.1"}},
                                               {{"type", "Hostname"}, {"address", "box"}}})}}}};
  const auto read = decode_pool_node(JsonObject(&node, ""));
  REQUIRE(read.has_value());
  CHECK(read->pool == "site");
  CHECK(read->desired == std::vector<std::string>{"other", "site"});
  CHECK(read->arch == "arm64");
  CHECK(read->addresses == std::vector{IpAddress::parse("192.0.2.1").value()});
}

TEST_CASE("A node is heard unless the cloud says that it does not know", "[egw controller]") {
  for (const auto& [status, heard] :
       {std::pair{"True", true}, std::pair{"False", true}, std::pair{"Unknown", false}}) {
    const json node{{"metadata", {{"name", "box"}}},
                    {"status", {{"conditions", {{{"type", "Ready"}, {"status", status}}}}}}};
    CHECK(decode_pool_node(JsonObject(&node, "")).value().heard == heard);
  }
}

TEST_CASE("NodePools of both versions are read alike", "[egw controller]") {
  for (const char* version : {"apps.openyurt.io/v1alpha1", "apps.openyurt.io/v1beta1"}) {
    const json pool{{"apiVersion", version},
                    {"metadata", {{"name", "site"}, {"annotations", {{kCenIdAnnotation, "cen-1"}}}}},
                    {"spec",
                     {{"type", "Edge"},
                      {"taints", {{{"key", "example.com/site"}, {"effect", "NoSchedule"}}}},
                      {"selector", {{"matchLabels", json::object()}}}}}};
    const auto read = kube::decode_node_pool(JsonObject(&pool, ""));
    REQUIRE(read.has_value());
    CHECK(read->api_version == version);
    CHECK(read->type == "Edge");
    CHECK(read->taints == std::set<std::string>{"example.com/site"});
    CHECK(read->annotations.at(kCenIdAnnotation) == "cen-1");
  }
}

TEST_CASE("A Deployment is available when a pod of its present template is, and no other",
          "[egw controller]") {
  struct Case {
    const char* name;
    json status;
    bool available;
  };
  const Case cases[] = {
      {"nothing known", json::object(), false},
      {"not looked at",
       {{"observedGeneration", 1}, {"updatedReplicas", 1}, {"availableReplicas", 1}, {"replicas", 1}},
       false},
      {"old pod", {{"observedGeneration", 2}, {"availableReplicas", 1}, {"replicas", 1}}, false},
      {"works",
       {{"observedGeneration", 2}, {"updatedReplicas", 1}, {"availableReplicas", 1}, {"replicas", 1}},
       true},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const json object{{"metadata", {{"name", "site-a"}, {"generation", 2}}}, {"status", c.status}};
      CHECK(decode_deployment(JsonObject(&object, ""))->available == c.available);
    }
  }
}

TEST_CASE("Objects of nonsense are refused, not believed", "[egw controller]") {
  const json cases[] = {{{"metadata", 1}},
                        {{"metadata", {{"name", 1}}}},
                        {{"metadata", {{"name", "x"}, {"labels", json::array()}}}},
                        {{"metadata", {{"name", "x"}, {"annotations", {{"a", json::array()}}}}}},
                        {{"metadata", {{"name", "x"}, {"generation", -1}}}}};
  for (const json& object : cases) {
    INFO(object.dump());
    CHECK_FALSE(decode_secret(JsonObject(&object, "")).has_value());
    CHECK_FALSE(decode_deployment(JsonObject(&object, "")).has_value());
  }
}

}  // namespace
}  // namespace holdfast::gateway
