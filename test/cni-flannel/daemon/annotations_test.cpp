#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cni-flannel/daemon/backend_data.h"
#include "cni-flannel/daemon/node_annotations.h"
#include "test/catch.h"

namespace holdfast::flannel {
namespace {

using Catch::Contains;

nlohmann::json golden(const std::string& name) {
  std::ifstream file(std::string(HOLDFAST_FIXTURES) + "/golden-flannel/" + name);
  std::ostringstream text;
  text << file.rdbuf();
  return parse_json(text.str()).value();
}

const AnnotationKeys& keys() {
  static const AnnotationKeys all = AnnotationKeys::with_prefix().value();
  return all;
}

NodeNetwork dual_stack_node() {
  NodeNetwork node;
  node.node = "edge-1";
  node.backend_type = "vxlan";
  node.pod_cidrs = {Cidr::parse("10.244.3.0/24").value(), Cidr::parse("2001:db8:0:3::/64").value()};
  node.backend_data = BackendData{1, MacAddress::parse("02:00:00:00:00:01").value()};
  node.backend_v6_data = BackendData{1, MacAddress::parse("02:00:00:00:00:02").value()};
  node.public_ip = IpAddress::parse("192.168.1.7").value();
  node.public_ipv6 = IpAddress::parse("fe80::1").value();
  return node;
}

TEST_CASE("A prefix becomes the beginning of keys as upstream makes it", "[flanneld]") {
  struct Case {
    const char* prefix;
    const char* backend_type;  // nullptr: refused
  };
  const Case cases[] = {
      {"flannel.alpha.coreos.com", "flannel.alpha.coreos.com/backend-type"},
      {"example.org/", "example.org/backend-type"},
      {"example.org/net", "example.org/net-backend-type"},
      {"example.org/net-", "example.org/net-backend-type"},
      {"a_b.c-d/x_y", "a_b.c-d/x_y-backend-type"},
      {"", nullptr},
      {"nodot", nullptr},
      {".example.org", nullptr},
      {"example..org", nullptr},
      {"example.org/a/b", nullptr},
      {"Example.org", nullptr},
      {"example.org/-", nullptr},
      {"example.org/a b", nullptr},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION("'" << c.prefix << "'") {
      const auto made = AnnotationKeys::with_prefix(c.prefix);
      REQUIRE(made.has_value() == (c.backend_type != nullptr));
      if (made) {
        CHECK(made->backend_type == c.backend_type);
      }
    }
  }
}

TEST_CASE("Nodes that a real flannel annotated are read, and written again to the byte", "[flanneld]") {
  for (const char* name : {"nft/nodea", "nft/nodeb", "ipt/nodea", "ipt/nodeb"}) {
    DYNAMIC_SECTION(name) {
      const nlohmann::json document = golden(std::string(name) + ".node.json");
      const auto node = decode_node(JsonObject::of(document).value(), keys());
      REQUIRE(node.has_value());
      REQUIRE(node->has_value());
      CHECK((*node)->identity.uid == document["metadata"]["uid"]);
      CHECK((*node)->network.pod_cidrs.front().to_string() == document["spec"]["podCIDR"]);
      CHECK(peer_end((*node)->network, IpFamily::kV4).value().has_value());

      const auto present = annotations_of(JsonObject::of(document).value()).value();
      const Annotations written = encode_annotations((*node)->network, keys());
      CHECK(written.size() == 4);
      CHECK(changed_annotations(written, present).empty());
    }
  }
}

TEST_CASE("Only the annotations that differ go into a patch", "[flanneld]") {
  const NodeNetwork node = dual_stack_node();
  Annotations present = encode_annotations(node, keys());
  CHECK(present.at(keys().backend_v6_data) == R"({"VNI":1,"VtepMAC":"02:00:00:00:00:02"})");
  present.erase(keys().public_ipv6);
  present[keys().backend_type] = "host-gw";
  present["other.example/key"] = "kept";
  CHECK(changed_annotations(encode_annotations(node, keys()), present) ==
        Annotations{{keys().public_ipv6, "fe80::1"}, {keys().backend_type, "vxlan"}});
}

TEST_CASE("Annotations and pod CIDRs come back as they were written", "[flanneld]") {
  const NodeNetwork node = dual_stack_node();
  const auto read = decode_annotations(node.node, encode_annotations(node, keys()), node.pod_cidrs, keys());
  REQUIRE(read.has_value());
  CHECK(*read == node);
}

TEST_CASE("A node without the mark of flannel is nobody's peer", "[flanneld]") {
  Annotations annotations = encode_annotations(dual_stack_node(), keys());
  annotations[keys().kube_subnet_manager] = "yes";
  CHECK(decode_annotations("n", annotations, {}, keys()).value() == std::nullopt);
  annotations.erase(keys().kube_subnet_manager);
  CHECK(decode_annotations("n", annotations, {}, keys()).value() == std::nullopt);
}

TEST_CASE("A Node object without annotations, or with null ones, is no peer and no crash", "[flanneld]") {
  for (const char* text :
       {R"({"metadata":{"name":"n"}})", R"({"metadata":{"name":"n","annotations":null}})"}) {
    const auto document = parse_json(text).value();
    CHECK(decode_node(JsonObject::of(document).value(), keys()).value() == std::nullopt);
  }
}

TEST_CASE("Bad annotations are refused by node, key and value", "[flanneld]") {
  struct Case {
    const char* name;
    std::string key;
    const char* value;
    const char* message;
  };
  const Case cases[] = {
      {"backend data of another form", keys().backend_data, "VtepMAC=1",
       "node edge-1: flannel.alpha.coreos.com/backend-data: "},
      {"a MAC that is none", keys().backend_data, R"({"VtepMAC":"02:00"})",
       "node edge-1: flannel.alpha.coreos.com/backend-data: VtepMAC: '02:00' is not a MAC address"},
      {"no MAC", keys().backend_v6_data, R"({"VNI":1})",
       "node edge-1: flannel.alpha.coreos.com/backend-v6-data: VtepMAC: is missing"},
      {"an address that is none", keys().public_ip, "10.0.0",
       "node edge-1: flannel.alpha.coreos.com/public-ip: '10.0.0' is not an IP address"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      Annotations annotations = encode_annotations(dual_stack_node(), keys());
      annotations[c.key] = c.value;
      const auto read = decode_annotations("edge-1", annotations, {}, keys());
      REQUIRE_FALSE(read.has_value());
      CHECK(read.error().code == Code::kInvalidArgument);
      CHECK_THAT(read.error().message, Contains(c.message));
    }
  }
}

TEST_CASE("Backend data is read in every form that was seen in the field", "[flanneld]") {
  struct Case {
    const char* text;
    std::optional<BackendData> data;
  };
  const MacAddress mac = MacAddress::parse("92:57:d3:57:97:ce").value();
  const Case cases[] = {
      {R"({"VNI":1,"VtepMAC":"92:57:d3:57:97:ce"})", BackendData{1, mac}},
      {R"({"VtepMAC":"92:57:d3:57:97:ce"})", BackendData{std::nullopt, mac}},
      {R"({ "vtepmac": "92:57:D3:57:97:CE", "vni": 7 })", BackendData{7, mac}},
      {"null", std::nullopt},
      {"", std::nullopt},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION("'" << c.text << "'") { CHECK(decode_backend_data(c.text).value() == c.data); }
  }
  CHECK(encode_backend_data({std::nullopt, mac}) == R"({"VtepMAC":"92:57:d3:57:97:ce"})");
}

TEST_CASE("A peer's end of a family is whole or refused with what is missing", "[flanneld]") {
  NodeNetwork node = dual_stack_node();
  CHECK(peer_end(node, IpFamily::kV6).value() ==
        PeerEnd{node.pod_cidrs[1], node.backend_v6_data->vtep_mac, *node.public_ipv6});
  SECTION("no subnet of the family is no peer there") {
    node.pod_cidrs.pop_back();
    CHECK(peer_end(node, IpFamily::kV6).value() == std::nullopt);
    CHECK(peer_end(node, IpFamily::kV4).value().has_value());
  }
  SECTION("no MAC yet") {
    node.backend_data.reset();
    CHECK(peer_end(node, IpFamily::kV4).error().message == "node edge-1 has published no VTEP MAC for IPv4");
  }
  SECTION("a group MAC") {
    node.backend_data->vtep_mac = MacAddress::parse("01:00:00:00:00:01").value();
    CHECK_THAT(peer_end(node, IpFamily::kV4).error().message, Contains("which no device can have"));
  }
  SECTION("no public address") {
    node.public_ip.reset();
    CHECK(peer_end(node, IpFamily::kV4).error().message ==
          "node edge-1 has published no public IPv4 address");
  }
  SECTION("a public address of the other family") {
    node.public_ip = node.public_ipv6;
    CHECK_FALSE(peer_end(node, IpFamily::kV4).has_value());
  }
}

TEST_CASE("One pod CIDR of a family is allowed, and its host bits do not count", "[flanneld]") {
  CHECK(checked_pod_cidrs({Cidr::parse("10.244.3.9/24").value()}).value().front().to_string() ==
        "10.244.3.0/24");
  CHECK_FALSE(checked_pod_cidrs({Cidr::parse("10.244.3.0/24").value(), Cidr::parse("10.244.4.0/24").value()})
                  .has_value());
}

}  // namespace
}  // namespace holdfast::flannel
