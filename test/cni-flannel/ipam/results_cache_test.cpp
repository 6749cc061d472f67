#include "cni-flannel/ipam/results_cache.h"

#include "test/catch.h"
#include "test/cni-flannel/ipam/ipam_node.h"

namespace holdfast::flannel::test {
namespace {

std::string cached(const std::string& arguments, const std::string& result) {
  return R"({"kind":"cniCacheV1","containerId":"c1","config":"e30=","ifName":"eth0","networkName":"cbr0",)"
         R"("netns":"/n","cniArgs":)" +
         arguments + R"(,"result":)" + result + "}";
}

TEST_CASE("what libcni's cache tells of an attachment", "[ipam]") {
  struct Case {
    const char* name;
    std::string text;
    std::optional<Pod> pod;
    std::vector<IpAddress> addresses;
    std::string host_link;
  };
  const std::string pod_arguments =
      R"([["IgnoreUnknown","1"],["K8S_POD_NAMESPACE","blue"],["K8S_POD_NAME","web-0"],["K8S_POD_UID","u1"]])";
  const Case cases[] = {
      {"a pod on a bridge, two families",
       cached(pod_arguments, R"({"cniVersion":"1.0.0",
         "interfaces":[{"name":"cni0"},{"name":"v1"},{"name":"eth0","sandbox":"/n"}],
         "ips":[{"address":"10.0.0.2/24"},{"address":"fd00::2/64"}]})"),
       Pod{"blue", "web-0", "u1"},
       {ip("10.0.0.2"), ip("fd00::2")},
       "v1"},
      {"a container without pod",
       cached("null", R"({"ips":[{"address":"10.0.0.2/24"}]})"),
       std::nullopt,
       {ip("10.0.0.2")},
       ""},
      {"a pod without uid",
       cached(R"([["K8S_POD_NAMESPACE","blue"],["K8S_POD_NAME","p"]])", "{}"),
       Pod{"blue", "p", ""},
       {},
       ""},
      {"a result of CNI 0.2",
       cached("[]", R"({"ip4":{"ip":"10.0.0.2/24"},"ip6":{"ip":"fd00::2/64"}})"),
       std::nullopt,
       {ip("10.0.0.2"), ip("fd00::2")},
       ""},
      {"no pair: an interface in the sandbox alone",
       cached("[]", R"({"interfaces":[{"name":"eth0","sandbox":"/n"}]})"),
       std::nullopt,
       {},
       ""},
      {"no interface in a sandbox",
       cached("[]", R"({"interfaces":[{"name":"cni0"}]})"),
       std::nullopt,
       {},
       ""},
      {"values of other types",
       cached(R"([["K8S_POD_NAME"],7,["a",{}]])", R"({"ips":[7,{"address":7}],"interfaces":{}})"),
       std::nullopt,
       {},
       ""},
      {"no result", cached("[]", "null"), std::nullopt, {}, ""},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const auto attachment = parse_cached_attachment(c.text);
      REQUIRE(attachment);
      CHECK(attachment->attachment == attachment_of("c1"));
      CHECK(attachment->pod == c.pod);
      CHECK(attachment->addresses == c.addresses);
      CHECK(attachment->host_link == c.host_link);
    }
  }
}

TEST_CASE("what is not a file of libcni's cache is refused", "[ipam]") {
  for (const char* text :
       {"", "{", "[]", "7", "null", R"({"kind":"other","containerId":"c","ifName":"e","networkName":"n"})",
        R"({"kind":"cniCacheV1","containerId":"","ifName":"e","networkName":"n"})",
        R"({"kind":"cniCacheV1","containerId":7,"ifName":"e","networkName":"n"})"}) {
    DYNAMIC_SECTION(text) { CHECK_FALSE(parse_cached_attachment(text)); }
  }
}

TEST_CASE("one attachment's file is found by its name and must say the same", "[ipam]") {
  Node node;
  ResultsCache cache(node.files, node.config.results_dir);
  CHECK_FALSE(cache.find(attachment_of("c1")));
  node.write(node.config.results_dir / "cbr0-c1-eth0", cached("[]", "{}"));
  node.write(node.config.results_dir / "cbr0-c2-eth0", cached("[]", "{}"));
  CHECK(cache.find(attachment_of("c1")));
  CHECK_FALSE(cache.find(attachment_of("c2")));
  CHECK(cache.all_of("cbr0").attachments.size() == 2);
  CHECK(cache.all_of("cbr").attachments.empty());
}

}  // namespace
}  // namespace holdfast::flannel::test
