#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cni-flannel/plugin/bridge_conf.h"
#include "cni-flannel/plugin/subnet_env.h"
#include "test/catch.h"
#include "test/cni-flannel/plugin/decoding_plugin.h"
#include "test/cni-flannel/plugin/harness.h"

namespace holdfast::flannel {
namespace {

std::vector<std::filesystem::path> refusal_files() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(HOLDFAST_FIXTURES "/cni/refusals")) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

TEST_CASE("every refusal is an error object that names the field and the value", "[cni]") {
  const auto files = refusal_files();
  CHECK(files.size() == 91);  // one that is lost must be missed
  const SubnetEnv lease = parse_subnet_env(test::fixture("cni/flannel/subnet.env")).value();
  for (const auto& file : files) {
    DYNAMIC_SECTION(file.stem().string()) {
      const auto refusal = nlohmann::json::parse(test::fixture("cni/refusals/" + file.filename().string()));
      cni::Environment env = test::environment(refusal.value("verb", "ADD"));
      const auto overrides = refusal.value("env", nlohmann::json::object());
      env.container_id = overrides.value("CNI_CONTAINERID", env.container_id);
      env.ifname = overrides.value("CNI_IFNAME", env.ifname);
      env.args = overrides.value("CNI_ARGS", env.args);
      const std::string config =
          refusal.contains("config") ? refusal["config"].dump() : refusal["text"].get<std::string>();
      test::DecodingPlugin plugin(lease);
      const test::Answer answer = test::call(plugin, env, config);
      CHECK(answer.status == 1);
      CHECK(nlohmann::json::parse(answer.out) == refusal["answer"]);
    }
  }
}

/// A host-local configuration is of flannel's own making, except for its first range sets; and other
/// delegates can have any. So these are tried without flannel around them.
TEST_CASE("ranges that host-local refuses are refused, naming the field and the value", "[cni]") {
  struct Case {
    const char* ipam;
    const char* message;
  };
  const Case cases[] = {
      {R"({})", "ipam.ranges: no IP ranges specified"},
      {R"({"ranges":[]})", "ipam.ranges: no IP ranges specified"},
      {R"({"ranges":{}})", "ipam.ranges: '{}' is not an array"},
      {R"({"ranges":[{}]})", "ipam.ranges[0]: '{}' is not an array"},
      {R"({"ranges":[[]]})", "ipam.ranges[0]: '[]' is an empty range set"},
      {R"({"ranges":[[{}]]})", "ipam.ranges[0][0].subnet: is missing"},
      {R"({"ranges":[[{"subnet":"10.1/24"}]]})", "ipam.ranges[0][0].subnet: '10.1/24' is not a CIDR"},
      {R"({"ranges":[[{"subnet":"10.1.0.0/31"}]]})",
       "ipam.ranges[0][0].subnet: '10.1.0.0/31' is too small to allocate from"},
      {R"({"ranges":[[{"subnet":"2001:db8::/127"}]]})",
       "ipam.ranges[0][0].subnet: '2001:db8::/127' is too small to allocate from"},
      {R"({"subnet":"10.1.0.7/24"})",
       "ipam.subnet: '10.1.0.7/24' has host bits set, the network is 10.1.0.0/24"},
      {R"({"subnet":"10.1.0.0/24","rangeStart":"10.2.0.1"})",
       "ipam.rangeStart: '10.2.0.1' is not in the subnet 10.1.0.0/24"},
      {R"({"subnet":"10.1.0.0/24","rangeEnd":"x"})", "ipam.rangeEnd: 'x' is not an IP address"},
      {R"({"subnet":"10.1.0.0/24","rangeStart":"10.1.0.9","rangeEnd":"10.1.0.8"})",
       "ipam.rangeEnd: '10.1.0.8' is before the start of the range"},
      {R"({"subnet":"10.1.0.0/24","gateway":"2001:db8::1"})",
       "ipam.gateway: '2001:db8::1' is not of the family of 10.1.0.0/24"},
      {R"({"ranges":[[{"subnet":"10.1.0.0/24"},{"subnet":"2001:db8::/64"}]]})",
       "ipam.ranges[0][1]: '{\"subnet\":\"2001:db8::/64\"}' is of another address family than the set's "
       "first range"},
      {R"({"ranges":[[{"subnet":"10.1.0.0/24"},{"subnet":"10.1.0.128/25"}]]})",
       "ipam.ranges[0][1]: '{\"subnet\":\"10.1.0.128/25\"}' overlaps another range of its set"},
      {R"({"ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"10.1.0.0/24","rangeStart":"10.1.0.254"}]]})",
       "ipam.ranges[1]: overlaps with ipam.ranges[0]"},
      {R"({"subnet":"10.1.0.0/24","ranges":[[{"subnet":"10.1.0.0/16"}]]})",
       "ipam.ranges[0]: overlaps with ipam.subnet"},
      {R"({"subnet":"10.1.0.0/24","routes":[{"dst":"x"}]})", "ipam.routes[0].dst: 'x' is not a CIDR"},
      {R"({"subnet":"10.1.0.0/24","dataDir":"../x"})",
       "ipam.dataDir: '../x' is not an absolute path without '..'"},
      {R"({"subnet":"10.1.0.0/24","resolvConf":7})", "ipam.resolvConf: '7' is not a string"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.ipam) {
      const std::string text = std::string(R"({"cniVersion":"1.0.0","ipam":)") + c.ipam + "}";
      const auto conf = parse_host_local_conf(cni::parse_document(text, "test").value(), {}, {});
      REQUIRE_FALSE(conf.has_value());
      CHECK(conf.error().code == cni::CniCode::kInvalidConfig);
      CHECK(conf.error().msg == c.message);
    }
  }
}

TEST_CASE("ranges that only touch do not overlap", "[cni]") {
  const char* text = R"({"cniVersion":"1.0.0","ipam":{"ranges":[
      [{"subnet":"10.1.0.0/24","rangeEnd":"10.1.0.9"},{"subnet":"10.1.0.0/24","rangeStart":"10.1.0.10"}]]}})";
  CHECK(parse_host_local_conf(cni::parse_document(text, "test").value(), {}, {}).has_value());
}

}  // namespace
}  // namespace holdfast::flannel
