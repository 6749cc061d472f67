#include "cni-flannel/daemon/node_network_object.h"

#include <nlohmann/json.hpp>

#include "cni-flannel/daemon/node_name.h"
#include "common/yaml/yaml.h"
#include "test/catch.h"

namespace holdfast::flannel {
namespace {

using Catch::Contains;

constexpr const char* kYaml = R"(
apiVersion: net.holdfast.dev/v1alpha1
kind: NodeNetworkConfiguration
metadata:
  name: edge-1
  uid: 0b3c
  resourceVersion: "42"
  generation: 3
spec:
  flannel:
    subnetKubeManaged: true
    backendType: vxlan
    backendData: {VNI: 1, VtepMAC: 02:42:00:00:00:01}
    backendV6Data: {VNI: 1, VtepMAC: 11:22:33:44:55:06}
    publicIP: 192.168.1.7
    publicIPv6: fd00::7
    publicIPOverwrite: 203.0.113.9
    podCidr: 10.244.3.0/24
    podCIDRs: [10.244.3.0/24, "2001:db8:0:3::/64"]
    leaseEpoch: 5
)";

NodeNetworkObject edge1() {
  NodeNetworkObject object;
  object.identity = {"edge-1", "0b3c", "42", 3};
  NodeNetwork& network = object.network;
  network.node = "edge-1";
  network.backend_type = "vxlan";
  network.pod_cidrs = {Cidr::parse("10.244.3.0/24").value(), Cidr::parse("2001:db8:0:3::/64").value()};
  network.backend_data = BackendData{1, MacAddress::parse("02:42:00:00:00:01").value()};
  network.backend_v6_data = BackendData{1, MacAddress::parse("11:22:33:44:55:06").value()};
  network.public_ip = IpAddress::parse("192.168.1.7").value();
  network.public_ipv6 = IpAddress::parse("fd00::7").value();
  network.public_ip_overwrite = IpAddress::parse("203.0.113.9").value();
  network.lease_epoch = 5;
  return object;
}

Result<NodeNetworkObject> only(std::string_view text) {
  const auto documents = decode_node_network_documents(text);
  if (!documents) return tl::unexpected(documents.error());
  REQUIRE(documents->size() == 1);
  return documents->front();
}

TEST_CASE("An object is read from YAML as a person writes it", "[flanneld]") {
  CHECK(only(kYaml).value() == edge1());
}

TEST_CASE("What is written is read again, in JSON and in YAML", "[flanneld]") {
  NodeNetworkObject removed = edge1();
  removed.removed_at = "2026-01-02T03:04:05Z";
  NodeNetworkObject bare;
  bare.identity.name = bare.network.node = "edge-2";
  bare.network.managed = false;
  for (const NodeNetworkObject& object : {edge1(), removed, bare}) {
    const nlohmann::json document = encode_node_network(object);
    CHECK(only(dump_json(document)).value() == object);
    CHECK(only(dump_yaml(document)).value() == object);
  }
}

TEST_CASE("The written object has the shape that other readers know", "[flanneld]") {
  NodeNetworkObject object = edge1();
  object.network.public_ip_overwrite.reset();
  const nlohmann::json flannel = encode_node_network(object)["spec"]["flannel"];
  CHECK(flannel["subnetKubeManaged"] == true);
  CHECK(flannel["backendType"] == "vxlan");
  CHECK(flannel["backendData"] == nlohmann::json::parse(R"({"VNI":1,"VtepMAC":"02:42:00:00:00:01"})"));
  CHECK(flannel["publicIP"] == "192.168.1.7");
  CHECK(flannel["podCidr"] == "10.244.3.0/24");
  CHECK_FALSE(flannel.contains("publicIPOverwrite"));
}

TEST_CASE("The shape of others, with podCidr alone and empty strings, is read", "[flanneld]") {
  const auto object = only(R"({"apiVersion":"net.holdfast.dev/v1alpha1","kind":"NodeNetworkConfiguration",
    "metadata":{"name":"n"},"spec":{"flannel":{"backendType":"vxlan","podCidr":"10.1.2.0/24",
    "publicIP":"10.0.0.1","publicIPOverwrite":"","backendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:01"}}}})");
  REQUIRE(object.has_value());
  CHECK(object->network.managed);
  CHECK_FALSE(object->network.public_ip_overwrite.has_value());
  CHECK(peer_end(object->network, IpFamily::kV4).value()->subnet.to_string() == "10.1.2.0/24");
}

TEST_CASE("Several documents and Lists are all read, and a bad one hides none", "[flanneld]") {
  const std::string one = dump_json(encode_node_network(edge1()));
  const std::string text =
      "---\nkind: List\nitems:\n- " + one + "\n- {kind: Pod}\n- 7\n---\n# nothing\n---\n" +
      "apiVersion: net.holdfast.dev/v2\nkind: NodeNetworkConfiguration\nmetadata: {name: z}\n";
  const auto documents = decode_node_network_documents(text);
  REQUIRE(documents.has_value());
  REQUIRE(documents->size() == 4);
  CHECK((*documents)[0].value() == edge1());
  CHECK_THAT((*documents)[1].error().message, Contains("kind: 'Pod' is not NodeNetworkConfiguration"));
  CHECK_FALSE((*documents)[2].has_value());
  CHECK((*documents)[3].value().identity.name == "z");
}

TEST_CASE("An object that cannot be used is refused by name, member and value", "[flanneld]") {
  struct Case {
    const char* name;
    const char* pointer;
    const char* value;
    const char* message;
  };
  const Case cases[] = {
      {"another group", "/apiVersion", R"("apps/v1")", "apiVersion: 'apps/v1' is not a version of the group"},
      {"no name", "/metadata/name", R"("")", "metadata.name: '' names nothing"},
      {"a name that turns a terminal over", "/metadata/name", R"("a\u001b[2J")",
       "metadata.name: 'a\\u001b[2J' is no name of a Node: these are lower-case letters, digits, '-' and "
       "'.', and "
       "begin and end with a letter or digit"},
      {"second CIDR of a family", "/spec/flannel/podCIDRs", R"(["10.1.0.0/24","10.2.0.0/24"])",
       "edge-1: spec.flannel.podCIDRs: '10.2.0.0/24' is a second pod CIDR"},
      {"bad CIDR", "/spec/flannel/podCIDRs", R"(["10.1/24"])",
       "spec.flannel.podCIDRs[0]: '10.1/24' is not a CIDR"},
      {"bad MAC", "/spec/flannel/backendData/VtepMAC", R"("x")",
       "spec.flannel.backendData.VtepMAC: 'x' is not a MAC address"},
      {"bad address", "/spec/flannel/publicIP", R"("x")", "spec.flannel.publicIP: 'x' is not an IP address"},
      {"negative epoch", "/spec/flannel/leaseEpoch", "-1", "spec.flannel.leaseEpoch: '-1'"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      nlohmann::json document = encode_node_network(edge1());
      document[nlohmann::json::json_pointer(c.pointer)] = nlohmann::json::parse(c.value);
      const auto object = only(dump_json(document));
      REQUIRE_FALSE(object.has_value());
      CHECK(object.error().code == Code::kInvalidArgument);
      CHECK_THAT(object.error().message, Contains(c.message));
    }
  }
}

TEST_CASE("Status and its conditions come back as they were written", "[flanneld]") {
  const NodeNetworkStatus status{7,
                                 {{"Ready", "True", "PeersProgrammed", "all", "2026-01-02T03:04:05Z"},
                                  {"VtepMacContested", "False", "", "", ""}}};
  const nlohmann::json document{{"status", encode_node_network_status(status)}};
  CHECK(decode_node_network_status(JsonObject::of(document).value()).value() == status);
  CHECK(decode_node_network_status(JsonObject(nullptr, "")).value() == NodeNetworkStatus{});
}

TEST_CASE("A node's name is an RFC 1123 subdomain", "[flanneld]") {
  for (const std::string& name :
       {std::string("a"), std::string("edge-1.site.example"), std::string("0"), std::string(253, 'a')}) {
    CHECK(node_name_fault(name).empty());
  }
  for (const char* name :
       {"", ".", "a.", ".a", "a..b", "-a", "a-", "a.-b", "Edge-1", "a_b", "a b", "a\n", "\xc3\xb6"}) {
    INFO(name);
    CHECK_THAT(node_name_fault(name), Catch::StartsWith("is no name of a Node: these are"));
  }
  CHECK_THAT(node_name_fault(std::string(254, 'a')), Catch::Contains("more than 253 bytes"));
}

}  // namespace
}  // namespace holdfast::flannel
