// What ADD answers as dns, side by side with Debian's ptp and host-local. (Debian's bridge, 1.1.1, still
// overlooked what the ipam says.)
#include <filesystem>
#include <fstream>
#include <string>

#include "test/catch.h"
#include "test/cni-flannel/plugin/plugin_host.h"

namespace holdfast::test {
namespace {

using nlohmann::json;

struct Case {
  const char* name;
  const char* dns;          ///< delegate.dns; nullptr for none
  const char* resolv_conf;  ///< content of the file that ipam.resolvConf names; nullptr for none
  const char* answer;
};

constexpr const char* kFile =
    "# the node's\nnameserver 10.96.0.10\nnameserver fd00::a\nsearch a.b c\noptions ndots:5\n";

const Case kCases[] = {
    {"nobody says anything", nullptr, nullptr, "null"},
    {"the delegate does", R"({"nameservers":["10.0.0.1"],"domain":"d","search":["s"],"options":["edns0"]})",
     nullptr, R"({"nameservers":["10.0.0.1"],"domain":"d","search":["s"],"options":["edns0"]})"},
    {"the ipam does", nullptr, kFile,
     R"({"nameservers":["10.96.0.10","fd00::a"],"search":["a.b","c"],"options":["ndots:5"]})"},
    {"both do: the delegate's counts, whole", R"({"domain":"d"})", kFile, R"({"domain":"d"})"},
    {"the delegate's sets nothing", R"({"domain":""})", kFile,
     R"({"nameservers":["10.96.0.10","fd00::a"],"search":["a.b","c"],"options":["ndots:5"]})"},
    {"the delegate's is an empty list", R"({"search":[]})", kFile, "null"},
    {"the file is empty", nullptr, "", "null"},
};

/// An empty dns and none are the same.
json dns_of(const json& result) {
  const json dns = result.value("dns", json::object());
  return dns.empty() ? json() : dns;
}

TEST_CASE_METHOD(PluginHost, "dns is the delegate's, else the ipam's, for our bridge as for Debian's ptp",
                 "[dns]") {
  set_cni_path("/usr/lib/cni");
  conf["cniVersion"] = "1.0.0";
  for (const Case& c : kCases) {
    DYNAMIC_SECTION(c.name) {
      const std::string type = GENERATE("bridge", "ptp");
      conf["delegate"]["type"] = type;
      if (c.dns != nullptr) conf["delegate"]["dns"] = json::parse(c.dns);
      if (c.resolv_conf != nullptr) {
        std::ofstream("/run/resolv.conf") << c.resolv_conf;
        conf["ipam"]["resolvConf"] = "/run/resolv.conf";
      }
      INFO(type);
      CHECK(dns_of(add(start_sandbox("c1"))) == json::parse(c.answer));
    }
  }
}

TEST_CASE_METHOD(PluginHost, "dns of the delegate counts for another ipam's addresses too", "[dns]") {
  std::filesystem::create_directories("/run/cni-bin");
  write_script("/run/cni-bin/namer",
               R"(echo '{"cniVersion":"1.0.0","ips":[{"address":"192.0.2.7/24"}],"dns":{"domain":"ipam"}}')");
  set_cni_path("/run/cni-bin");
  conf["ipam"] = {{"type", "namer"}};
  const Sandbox pod = start_sandbox("c1");
  SECTION("which it leaves as it is") { CHECK(dns_of(add(pod)) == json{{"domain", "ipam"}}); }
  SECTION("which it replaces") {
    conf["delegate"]["dns"] = {{"search", {"s"}}};
    CHECK(dns_of(add(pod)) == json{{"search", {"s"}}});
  }
}

}  // namespace
}  // namespace holdfast::test
