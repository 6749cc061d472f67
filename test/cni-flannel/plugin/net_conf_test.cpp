#include "cni-flannel/plugin/net_conf.h"

#include <string>

#include "test/catch.h"

namespace holdfast::cni {
namespace {

TEST_CASE("a configuration's CNI members are read, in any case", "[cni]") {
  const auto conf = parse_net_conf(
      R"({"CNIVersion":"0.4.0","NAME":"cbr0","Type":"flannel","RuntimeConfig":{"mac":"x"},"args":{"cni":{}},
          "prevResult":{"cniVersion":"0.4.0"},"other":[1]})");
  REQUIRE(conf.has_value());
  CHECK(conf->version == SpecVersion::k0_4_0);
  CHECK(conf->version_given);
  CHECK(conf->name == "cbr0");
  CHECK(conf->type == "flannel");
  CHECK(to_text(conf->runtime_config) == R"({"mac":"x"})");
  CHECK(to_text(conf->args) == R"({"cni":{}})");
  CHECK(to_text(conf->prev_result) == R"({"cniVersion":"0.4.0"})");
  CHECK(to_text(member(conf->document, "other")) == "[1]");
  CHECK_FALSE(conf->valid_attachments.has_value());
}

TEST_CASE("a configuration without cniVersion is one of 0.1.0, and null is absent", "[cni]") {
  const auto conf =
      parse_net_conf(R"({"name":"cbr0","cniVersion":null,"runtimeConfig":null,"prevResult":null})");
  REQUIRE(conf.has_value());
  CHECK(conf->version == SpecVersion::k0_1_0);
  CHECK_FALSE(conf->version_given);
  CHECK(conf->runtime_config == nullptr);
  CHECK(conf->prev_result == nullptr);
}

TEST_CASE("a section outlives the configuration it came from", "[cni]") {
  JsonPart section;
  {
    const auto conf = parse_net_conf(R"({"name":"cbr0","args":{"cni":{"mac":"02:00:00:00:00:01"}}})");
    REQUIRE(conf.has_value());
    section = conf->args;
  }
  CHECK(to_text(section) == R"({"cni":{"mac":"02:00:00:00:00:01"}})");
}

TEST_CASE("the list of valid attachments: missing and null are no list, [] is an empty one", "[cni]") {
  CHECK_FALSE(parse_net_conf(R"({"name":"n"})")->valid_attachments.has_value());
  CHECK_FALSE(
      parse_net_conf(R"({"name":"n","cni.dev/valid-attachments":null})")->valid_attachments.has_value());
  const auto empty = parse_net_conf(R"({"name":"n","cni.dev/valid-attachments":[]})");
  REQUIRE(empty->valid_attachments.has_value());
  CHECK(empty->valid_attachments->empty());
}

TEST_CASE("both spellings of the list are read, and together they are joined", "[cni]") {
  const ValidAttachment a{"a", "eth0"};
  const ValidAttachment b{"b", "eth1"};
  const auto one =
      parse_net_conf(R"({"name":"n","cni.dev/attachments":[{"containerID":"a","ifname":"eth0"}]})");
  CHECK(one->valid_attachments == std::vector{a});
  const auto both = parse_net_conf(
      R"({"name":"n","cni.dev/valid-attachments":[{"containerID":"b","ifname":"eth1"},{"containerID":"a","ifname":"eth0"}],
          "cni.dev/attachments":[{"containerID":"a","ifname":"eth0"}]})");
  CHECK(both->valid_attachments == std::vector{a, b});
}

TEST_CASE("prevResult is decoded on demand only, so that DEL can do without", "[cni]") {
  const auto bad = parse_net_conf(R"({"name":"n","prevResult":{"ips":[{"address":"10.1"}]}})");
  REQUIRE(bad.has_value());
  const auto decoded = decode_prev_result(*bad);
  REQUIRE_FALSE(decoded.has_value());
  CHECK(decoded.error().code == CniCode::kDecode);
  CHECK(decoded.error().msg == "prevResult.ips[0].address: '10.1' is not a CIDR");
  const auto none = decode_prev_result(*parse_net_conf(R"({"name":"n"})"));
  REQUIRE(none.has_value());
  CHECK_FALSE(none->has_value());
}

TEST_CASE("a member is put in place of its other spellings", "[cni]") {
  const JsonPart object = parse_document(R"({"MTU":1,"mtu":2,"a":3})", "test").value();
  const JsonPart value = parse_document("7", "test").value();
  CHECK(to_text(with_member(object, "mtu", value)) == R"({"a":3,"mtu":7})");
  CHECK(to_text(with_member(object, "mtu", nullptr)) == R"({"a":3})");
  CHECK(to_text(with_member(nullptr, "mtu", value)) == R"({"mtu":7})");
  CHECK(to_text(object) == R"({"MTU":1,"a":3,"mtu":2})");
}

}  // namespace
}  // namespace holdfast::cni
