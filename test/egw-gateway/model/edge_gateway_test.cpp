#include "egw-gateway/model/edge_gateway.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "common/yaml/yaml.h"
#include "test/catch.h"

namespace holdfast::gateway {
namespace {

using nlohmann::json;

constexpr const char* kWhole = R"(
apiVersion: net.holdfast.dev/v1alpha1
kind: EdgeGateway
metadata: {name: hangzhou, uid: u-1, resourceVersion: "17", generation: 3}
spec:
  podCIDRs: [10.244.0.0/16, "fd00:10::/48"]
  vpcCIDRs: [172.16.3.9/12, 172.16.0.0/12, "fd00:20::/48"]
  cloudPodCIDRs: [10.100.0.0/16]
  exemptCIDRs: [172.16.9.9/32]
  accessPoints:
    - {name: one, address: 203.0.113.9, port: 51820, publicKey: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=, priority: 20, link: metered, tunnelAddresses: [198.18.0.1, "fd00:99::1"], mtu: 1360}
    - {name: two, address: "2001:db8::9", port: 51821, publicKey: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=}
  gateways:
    - {name: a, node: box-1, podAddresses: [10.244.1.7, "fd00:10::1:7"], priority: 200, publicKeys: [AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=], tunnel: 7, tunnelAddresses: [198.18.0.7]}
    - {name: b, node: box-2, podAddresses: [10.244.2.7], tunnel: 0}
  nodes:
    - {name: box-1, podCIDRs: [10.244.1.0/24], addresses: [192.168.1.11, "2001:db8:1::11"]}
    - {name: box-2}
  liveness: {intervalMilliseconds: 50, multiplier: 5, keySecret: hangzhou-bfd}
)";

json document(const std::string& text = kWhole) { return parse_yaml(text).value().at(0); }

Result<EdgeGateway> decoded(const json& document) {
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(document));
  return decode_edge_gateway(object);
}

TEST_CASE("An EdgeGateway is decoded whole", "[gateway]") {
  const EdgeGateway gateway = decoded(document()).value();
  CHECK(gateway.pool == "hangzhou");
  CHECK(gateway.uid == "u-1");
  CHECK(gateway.generation == 3);
  CHECK(gateway.pod_cidrs.size() == 2);
  REQUIRE(gateway.vpc_cidrs.size() == 2);
  CHECK(gateway.vpc_cidrs[0].to_string() == "172.16.0.0/12");
  CHECK(gateway.exempt_cidrs.at(0).to_string() == "172.16.9.9/32");
  REQUIRE(gateway.access_points.size() == 2);
  CHECK(gateway.access_points[0].link == LinkKind::kMetered);
  CHECK(gateway.access_points[0].priority == 20);
  CHECK(gateway.access_points[0].mtu == 1360);
  CHECK(gateway.access_points[1].mtu == 0);
  CHECK(gateway.access_points[1].address.to_string() == "2001:db8::9");
  REQUIRE(gateway.gateways.size() == 2);
  CHECK(gateway.gateways[0].node == "box-1");
  CHECK(gateway.gateways[0].priority == 200);
  CHECK(gateway.gateways[0].public_keys.size() == 1);
  CHECK(gateway.gateways[0].address(IpFamily::kV6).value().to_string() == "fd00:10::1:7");
  CHECK_FALSE(gateway.gateways[1].address(IpFamily::kV6).has_value());
  CHECK(gateway.gateways[0].tunnel == 7);
  CHECK(gateway.gateways[1].tunnel == 0);
  CHECK(gateway.gateways[0].tunnel_addresses.at(0).to_string() == "198.18.0.7");
  CHECK(address_of(gateway.access_points[0].tunnel_addresses, IpFamily::kV6)->to_string() == "fd00:99::1");
  CHECK(port_of(gateway.access_points[0], 7) == 51827);
  REQUIRE(gateway.nodes.size() == 2);
  CHECK(gateway.nodes[0].pod_cidrs.at(0).to_string() == "10.244.1.0/24");
  CHECK(gateway.nodes[0].addresses.size() == 2);
  CHECK(gateway.liveness.interval == std::chrono::milliseconds(50));
  CHECK(gateway.liveness.multiplier == 5);
  CHECK(gateway.liveness.key_secret == "hangzhou-bfd");
}

TEST_CASE("What is not told has its default", "[gateway]") {
  const EdgeGateway gateway = decoded(json{{"apiVersion", "net.holdfast.dev/v1"},
                                           {"kind", "EdgeGateway"},
                                           {"metadata", {{"name", "p"}}},
                                           {"spec", json::object()}})
                                  .value();
  CHECK(gateway.liveness == Liveness{});
  CHECK(gateway.gateways.empty());
}

TEST_CASE("What is decoded is encoded to the same", "[gateway]") {
  const EdgeGateway gateway = decoded(document()).value();
  CHECK(decoded(encode_edge_gateway(gateway)).value() == gateway);
  const EdgeGateway bare{.pool = "p"};
  CHECK(decoded(encode_edge_gateway(bare)).value() == bare);
}

TEST_CASE("Two objects tell the same though they are of other versions", "[gateway]") {
  const EdgeGateway one = decoded(document()).value();
  EdgeGateway other = one;
  other.resource_version = "18";
  other.generation = 4;
  CHECK(tells_the_same(one, other));
  other.gateways.pop_back();
  CHECK_FALSE(tells_the_same(one, other));
}

TEST_CASE("What an object has lost is named, as far as no traffic passes without it", "[gateway]") {
  struct Case {
    const char* name;
    void (*empty)(EdgeGateway&);
    const char* lost;
  };
  const Case cases[] = {
      {"nothing", [](EdgeGateway&) {}, ""},
      {"pods' ranges", [](EdgeGateway& told) { told.pod_cidrs.clear(); }, "podCIDRs"},
      {"one of two kinds of ranges", [](EdgeGateway& told) { told.vpc_cidrs.clear(); }, ""},
      {"all ranges",
       [](EdgeGateway& told) {
         told.vpc_cidrs.clear();
         told.cloud_pod_cidrs.clear();
       },
       "vpcCIDRs and cloudPodCIDRs"},
      {"all access points", [](EdgeGateway& told) { told.access_points.clear(); }, "accessPoints"},
      {"one access point of two", [](EdgeGateway& told) { told.access_points.pop_back(); }, ""},
      {"all gateways", [](EdgeGateway& told) { told.gateways.clear(); }, "gateways"},
      {"one gateway of two", [](EdgeGateway& told) { told.gateways.pop_back(); }, ""},
      {"what traffic passes without",
       [](EdgeGateway& told) {
         told.exempt_cidrs.clear();
         told.nodes.clear();
         told.liveness = {};
       },
       ""},
      {"all that its spec had", [](EdgeGateway& told) { told = {.pool = told.pool}; },
       "podCIDRs, vpcCIDRs and cloudPodCIDRs, accessPoints, gateways"},
  };
  const EdgeGateway known = decoded(document()).value();
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      EdgeGateway told = known;
      c.empty(told);
      CHECK(lost_lists(known, told) == c.lost);
      CHECK(lost_lists(told, known).empty());  // what it never had it has not lost
      CHECK(lost_lists(told, told).empty());
    }
  }
}

TEST_CASE("A status is encoded and decoded to the same", "[gateway]") {
  EdgeGatewayStatus status;
  status.observed_generation = 4;
  status.active = "a";
  status.last_switch = "2026-11-21T02:54:07Z";
  status.gateways = {{"a", "box-1", true}, {"b", "box-2", false}};
  status.conditions = {{"Ready", "False", "OneNode", "one amd64 node only", "2026-11-21T02:54:07Z"}};
  const json object{{"status", encode_edge_gateway_status(status)}};
  CHECK(decode_edge_gateway_status(JsonObject(&object, "")).value() == status);
}

TEST_CASE("Nonsense in an EdgeGateway is refused by name", "[gateway]") {
  struct Case {
    const char* name;
    const char* pointer;
    json value;
    const char* error;
  };
  const json again_a{{"name", "a"}, {"node", "box-9"}, {"podAddresses", {"10.244.9.9"}}};
  const json on_box_1{{"name", "c"}, {"node", "box-1"}, {"podAddresses", {"10.244.9.9"}}};
  const json same_address{{"name", "c"}, {"node", "box-3"}, {"podAddresses", {"10.244.1.7"}}};
  const Case cases[] = {
      {"another kind", "/kind", "Node", "kind: 'Node' is not EdgeGateway"},
      {"another group", "/apiVersion", "v1",
       "apiVersion: 'v1' is not a version of the group net.holdfast.dev"},
      {"no name", "/metadata/name", "", "metadata.name: '' names nothing"},
      {"a name with a slash", "/metadata/name", "../x", "metadata.name: '../x' has other characters"},
      {"a range that is none", "/spec/vpcCIDRs/0", "10.1/33", "spec.vpcCIDRs[0]: '10.1/33' is not a CIDR"},
      {"everything", "/spec/vpcCIDRs/0", "0.0.0.0/0", "spec.vpcCIDRs[0]: '0.0.0.0/0' holds everything"},
      {"everything of IPv6", "/spec/exemptCIDRs/0", "::/0", "spec.exemptCIDRs[0]: '::/0' holds everything"},
      {"no port", "/spec/accessPoints/0/port", 0, "spec.accessPoints[0].port"},
      {"a key that is short", "/spec/accessPoints/0/publicKey", "AAAA",
       "spec.accessPoints[0].publicKey: 'AAAA' is not 32 bytes in base64"},
      {"a multicast access point", "/spec/accessPoints/0/address", "224.0.0.1",
       "spec.accessPoints[0].address: '224.0.0.1' is no address of a machine"},
      {"no access point's address", "/spec/accessPoints/0/address", "::", "is no address of a machine"},
      {"a link of another kind", "/spec/accessPoints/0/link", "fast", "is neither dedicated nor metered"},
      {"packets that are too small", "/spec/accessPoints/0/mtu", 1279, "spec.accessPoints[0].mtu"},
      {"packets that are too large", "/spec/accessPoints/0/mtu", 65456, "spec.accessPoints[0].mtu"},
      {"two access points of one name", "/spec/accessPoints/1/name", "one",
       "spec.accessPoints: two of them have the name 'one'"},
      {"two gateways of one name", "/spec/gateways/1", again_a,
       "spec.gateways: two of them have the name 'a'"},
      {"two gateways on one node", "/spec/gateways/1", on_box_1,
       "spec.gateways: two of them have the node 'box-1'"},
      {"two gateways of one address", "/spec/gateways/1", same_address,
       "spec.gateways: two of them have the address '10.244.1.7'"},
      {"two addresses of one family", "/spec/gateways/0/podAddresses/1", "10.244.1.8",
       "'10.244.1.8' is a second address of its family"},
      {"a gateway without address", "/spec/gateways/0/podAddresses", json::array(), "tells no address"},
      {"a gateway's key that is none", "/spec/gateways/0/publicKeys/0", "secret",
       "spec.gateways[0].publicKeys[0]: 'secret' is not 32 bytes in base64"},
      {"three gateways", "/spec/gateways/2", again_a, "spec.gateways: has 3 elements, 2 is the most"},
      {"a negative priority", "/spec/gateways/0/priority", -1, "spec.gateways[0].priority"},
      {"an interval of none", "/spec/liveness/intervalMilliseconds", 0, "spec.liveness.intervalMilliseconds"},
      {"a multiplier of none", "/spec/liveness/multiplier", 0, "spec.liveness.multiplier"},
      {"a secret that is a path", "/spec/liveness/keySecret", "../../etc/shadow", "spec.liveness.keySecret"},
      {"a tunnel beyond the last", "/spec/gateways/0/tunnel", 1000, "spec.gateways[0].tunnel"},
      {"two tunnels of one number", "/spec/gateways/1/tunnel", 7,
       "spec.gateways: two of them have the tunnel '7'"},
      {"a tunnel beyond the last port", "/spec/accessPoints/0/port", 65530,
       "tunnel 7 is beyond the last port at access point 'one', which counts from 65530"},
      {"two gateways of one tunnel address",
       "/spec/gateways/1/tunnelAddresses",
       {"198.18.0.7"},
       "spec.gateways and .accessPoints: two of them have the tunnel address '198.18.0.7'"},
      {"a gateway with an access point's address",
       "/spec/gateways/1/tunnelAddresses",
       {"198.18.0.1"},
       "spec.gateways and .accessPoints: two of them have the tunnel address '198.18.0.1'"},
      {"a tunnel address among pods",
       "/spec/gateways/1/tunnelAddresses",
       {"10.244.9.9"},
       "the tunnel address 10.244.9.9 lies in the pool's pod range 10.244.0.0/16"},
      {"two tunnel addresses of one family", "/spec/accessPoints/0/tunnelAddresses/1", "198.18.0.2",
       "'198.18.0.2' is a second address of its family"},
      {"two nodes of one name", "/spec/nodes/1/name", "box-1",
       "spec.nodes: two of them have the name 'box-1'"},
      {"a node's range that is everything",
       "/spec/nodes/0/podCIDRs",
       {"0.0.0.0/0"},
       "spec.nodes[0].podCIDRs[0]: '0.0.0.0/0' holds everything"},
      {"no spec", "/spec", nullptr, "spec: is missing"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      json changed = document();
      changed[json::json_pointer(c.pointer)] = c.value;
      const auto gateway = decoded(changed);
      REQUIRE_FALSE(gateway.has_value());
      CHECK(gateway.error().code == Code::kInvalidArgument);
      CHECK_THAT(gateway.error().message, Catch::Contains(c.error));
    }
  }
}

TEST_CASE("A list of more ranges than a pool can have is refused", "[gateway]") {
  json changed = document();
  changed["spec"]["vpcCIDRs"] = std::vector<std::string>(kMostRanges + 1, "172.16.0.0/12");
  CHECK_THAT(decoded(changed).error().message, Catch::Contains("257 elements, 256 is the most"));
}

TEST_CASE("A file may hold several pools, other kinds and what cannot be used", "[gateway]") {
  const std::string text =
      std::string(kWhole) +
      "---\nkind: ConfigMap\nmetadata: {name: hangzhou}\n---\nkind: List\nitems:\n- {kind: "
      "EdgeGateway, apiVersion: net.holdfast.dev/v1alpha1, metadata: {name: ningbo}, spec: "
      "{}}\n---\nkind: EdgeGateway\n---\n[1, 2]\n";
  const auto documents = decode_edge_gateway_documents(text).value();
  REQUIRE(documents.size() == 4);
  CHECK(documents[0].value().pool == "hangzhou");
  CHECK(documents[1].value().pool == "ningbo");
  CHECK_FALSE(documents[2].has_value());
  CHECK_FALSE(documents[3].has_value());
  CHECK_FALSE(decode_edge_gateway_documents("a: [").has_value());
}

/// The fields of a schema's object.
const json& properties(const json& schema) {
  const json& object = schema.contains("items") ? schema.at("items") : schema;
  return object.at("properties");
}

/// Every field of `value` has its place in the schema: the API server drops what has none.
void check_covered(const json& value, const json& schema, const std::string& path) {
  if (value.is_array()) {
    for (const json& element : value) check_covered(element, schema, path);
  } else if (value.is_object()) {
    for (const auto& [key, field] : value.items()) {
      INFO(path << "." << key);
      REQUIRE(properties(schema).contains(key));
      check_covered(field, properties(schema).at(key), path + "." + key);
    }
  }
}

TEST_CASE("The CustomResourceDefinition has a place for all that is encoded", "[gateway]") {
  std::ostringstream text;
  text << std::ifstream(std::string(HOLDFAST_MANIFESTS) + "/base/egw-gateway/edgegateways.yaml").rdbuf();
  const json crd = parse_yaml(text.str()).value().at(0);
  CHECK(crd.at("metadata").at("name") ==
        std::string(kEdgeGatewayPlural) + "." + std::string(kEdgeGatewayGroup));
  CHECK(crd.at("spec").at("names").at("kind") == std::string(kEdgeGatewayKind));
  CHECK(crd.at("spec").at("names").at("listKind") == std::string(kEdgeGatewayListKind));
  const json& version = crd.at("spec").at("versions").at(0);
  CHECK(version.at("name") == std::string(kEdgeGatewayVersion));
  const json& schema = version.at("schema").at("openAPIV3Schema");
  check_covered(encode_edge_gateway(decoded(document()).value()).at("spec"), properties(schema).at("spec"),
                "spec");
  EdgeGatewayStatus status;
  status.last_switch = "2026-11-21T02:54:07Z";
  status.gateways = {{"a", "box-1", true}};
  status.conditions = {{"Ready", "True", "Reason", "message", "2026-11-21T02:54:07Z"}};
  check_covered(encode_edge_gateway_status(status), properties(schema).at("status"), "status");
}

}  // namespace
}  // namespace holdfast::gateway
