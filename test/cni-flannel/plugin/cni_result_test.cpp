#include "cni-flannel/plugin/cni_result.h"

#include <nlohmann/json.hpp>
#include <string>

#include "test/catch.h"
#include "test/cni-flannel/plugin/harness.h"

namespace holdfast::cni {
namespace {

Cidr cidr(const char* text) { return Cidr::parse(text).value(); }
IpAddress ip(const char* text) { return IpAddress::parse(text).value(); }

/// Has every member of every version.
AddResult full_result() {
  AddResult result;
  result.interfaces = {{"cni0", "02:00:00:00:00:01", 1450, "", "", ""},
                       {"veth1", "02:00:00:00:00:02", 0, "", "", ""},
                       {"eth0", "02:00:00:00:00:03", 1400, "/var/run/netns/p", "/run/s", "0000:00:1f.6"}};
  result.ips = {{cidr("10.1.0.2/24"), ip("10.1.0.1"), 2}, {cidr("2001:db8::2/64"), ip("2001:db8::1"), 2}};
  Route detailed{cidr("0.0.0.0/0"), ip("10.1.0.1"), 1400, 1360, 100, 255, std::uint8_t{0}};
  result.routes = {{cidr("10.0.0.0/8"), {}, 0, 0, 0, {}, {}},
                   detailed,
                   {cidr("::/0"), ip("2001:db8::1"), 0, 0, 0, {}, {}}};
  result.dns = {{"10.0.0.10"}, "cluster.local", {"a", "b"}, {"ndots:5"}};
  return result;
}

/// What is left of full_result() in a version.
AddResult expected_after(SpecVersion version) {
  AddResult result = full_result();
  if (version < SpecVersion::k1_1_0) {
    for (Interface& interface : result.interfaces) {
      interface.mtu = 0;
      interface.socket_path.clear();
      interface.pci_id.clear();
    }
    for (Route& route : result.routes) route = {route.dst, route.gw, 0, 0, 0, {}, {}};
  }
  if (version < SpecVersion::k0_3_0) {
    result.interfaces.clear();
    for (AssignedIp& address : result.ips) address.interface.reset();
  }
  return result;
}

TEST_CASE("every version says all it can, and reads it back", "[cni]") {
  for (const SpecVersion version : kSupportedVersions) {
    DYNAMIC_SECTION(to_string(version)) {
      const std::string text = to_json(full_result(), version);
      const auto again = parse_result(text, "result");
      REQUIRE(again.has_value());
      CHECK(*again == expected_after(version));
      CHECK(nlohmann::json::parse(text)["cniVersion"] == to_string(version));
    }
  }
}

TEST_CASE("every version has its own shape", "[cni]") {
  AddResult small;
  small.interfaces = {{"cni0", "", 0, "", "", ""}, {"eth0", "02:00:00:00:00:03", 1450, "/ns", "", ""}};
  small.ips = {{cidr("10.1.0.2/24"), ip("10.1.0.1"), 1}};
  small.routes = {{cidr("0.0.0.0/0"), ip("10.1.0.1"), 1400, 0, 0, {}, {}}};
  struct Case {
    SpecVersion version;
    const char* json;
  };
  const Case cases[] = {
      {SpecVersion::k0_2_0,
       R"({"cniVersion":"0.2.0","ip4":{"gateway":"10.1.0.1","ip":"10.1.0.2/24","routes":[{"dst":"0.0.0.0/0","gw":"10.1.0.1"}]}})"},
      {SpecVersion::k0_4_0,
       R"({"cniVersion":"0.4.0","interfaces":[{"name":"cni0"},{"mac":"02:00:00:00:00:03","name":"eth0","sandbox":"/ns"}],)"
       R"("ips":[{"address":"10.1.0.2/24","gateway":"10.1.0.1","interface":1,"version":"4"}],"routes":[{"dst":"0.0.0.0/0","gw":"10.1.0.1"}]})"},
      {SpecVersion::k1_0_0,
       R"({"cniVersion":"1.0.0","interfaces":[{"name":"cni0"},{"mac":"02:00:00:00:00:03","name":"eth0","sandbox":"/ns"}],)"
       R"("ips":[{"address":"10.1.0.2/24","gateway":"10.1.0.1","interface":1}],"routes":[{"dst":"0.0.0.0/0","gw":"10.1.0.1"}]})"},
      {SpecVersion::k1_1_0,
       R"({"cniVersion":"1.1.0","interfaces":[{"name":"cni0"},{"mac":"02:00:00:00:00:03","mtu":1450,"name":"eth0","sandbox":"/ns"}],)"
       R"("ips":[{"address":"10.1.0.2/24","gateway":"10.1.0.1","interface":1}],"routes":[{"dst":"0.0.0.0/0","gw":"10.1.0.1","mtu":1400}]})"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(to_string(c.version)) { CHECK(to_json(small, c.version) == c.json); }
  }
}

TEST_CASE("before 0.3.0 there is one address a family, the first", "[cni]") {
  AddResult result;
  result.ips = {{cidr("10.1.0.2/24"), {}, {}}, {cidr("10.2.0.2/24"), {}, {}}};
  CHECK(to_json(result, SpecVersion::k0_1_0) == R"({"cniVersion":"0.1.0","ip4":{"ip":"10.1.0.2/24"}})");
  CHECK(to_json({}, SpecVersion::k0_2_0) == R"({"cniVersion":"0.2.0"})");
}

TEST_CASE("a real plugin's result comes out as it went in", "[cni]") {
  const std::string text = test::fixture("cni/flannel/add-result.json");
  const auto result = parse_result(text, "result");
  REQUIRE(result.has_value());
  CHECK(nlohmann::json::parse(to_json(*result, SpecVersion::k1_0_0)) == nlohmann::json::parse(text));
}

TEST_CASE("results that are none are refused, naming the field and the value", "[cni]") {
  struct Case {
    const char* text;
    const char* message;
  };
  const Case cases[] = {
      {"7", "prevResult: it must be a JSON object, is 7"},
      {R"({"ips":{}})", "prevResult.ips: '{}' is not an array"},
      {R"({"ips":["10.1.0.2/24"]})", "prevResult.ips[0]: '10.1.0.2/24' is not an object"},
      {R"({"ips":[{}]})", "prevResult.ips[0].address: is missing"},
      {R"({"ips":[{"address":"10.1.0.2/24","gateway":"x"}]})",
       "prevResult.ips[0].gateway: 'x' is not an IP address"},
      {R"({"ips":[{"address":"10.1.0.2/24","interface":0}]})",
       "prevResult.ips[0].interface: '0' is beyond the last of 0 interfaces"},
      {R"({"routes":[{"dst":"10.1"}]})", "prevResult.routes[0].dst: '10.1' is not a CIDR"},
      {R"({"routes":[{"dst":"::/0","scope":256}]})", "prevResult.routes[0].scope: '256' is not in 0..255"},
      {R"({"interfaces":[{"name":7}]})", "prevResult.interfaces[0].name: '7' is not a string"},
      {R"({"ip4":{"ip":"x"}})", "prevResult.ip4.ip: 'x' is not a CIDR"},
      {R"({"dns":{"search":"a"}})", "prevResult.dns.search: 'a' is not an array"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.text) {
      const auto result = parse_result(c.text, "prevResult");
      REQUIRE_FALSE(result.has_value());
      CHECK(result.error().code == CniCode::kDecode);
      CHECK(result.error().msg == c.message);
    }
  }
  const auto newer = parse_result(R"({"cniVersion":"2.0.0"})", "prevResult");
  REQUIRE_FALSE(newer.has_value());
  CHECK(newer.error().code == CniCode::kIncompatibleVersion);
}

TEST_CASE("an interface index below zero and an empty gateway are none", "[cni]") {
  const auto result = parse_result(R"({"ips":[{"address":"10.1.0.2/24","interface":-1,"gateway":""}]})", "r");
  REQUIRE(result.has_value());
  CHECK_FALSE(result->ips[0].interface.has_value());
  CHECK_FALSE(result->ips[0].gateway.has_value());
}

}  // namespace
}  // namespace holdfast::cni
