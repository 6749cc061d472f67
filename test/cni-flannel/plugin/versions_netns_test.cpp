// The answer of ADD through the real program: its shape in every version of CNI, dns, routes.
#include <fstream>
#include <string>

#include "test/catch.h"
#include "test/cni-flannel/plugin/plugin_host.h"

namespace holdfast::test {
namespace {

using nlohmann::json;

/// What each version says of one pod; HOST_LINK stands for the name of the host's end of the veth pair.
struct Case {
  const char* versions;  ///< separated by blanks; all but cniVersion is the same in them
  const char* answer;
};

const Case kCases[] = {
    {"1.1.0",
     R"({"interfaces":[{"name":"cni0","mac":"0a:58:0a:f4:03:01","mtu":1450},
                       {"name":"HOST_LINK","mac":"HOST_MAC","mtu":1450},
                       {"name":"eth0","mac":"0a:58:0a:f4:03:02","mtu":1450,"sandbox":"/run/netns/c1"}],
         "ips":[{"interface":2,"address":"10.244.3.2/24","gateway":"10.244.3.1"},
                {"interface":2,"address":"fd00:0:0:3::2/64","gateway":"fd00:0:0:3::1"}],
         "routes":[{"dst":"192.0.2.0/24"},{"dst":"10.244.0.0/16"},{"dst":"fd00::/48"},
                   {"dst":"0.0.0.0/0","gw":"10.244.3.1"},{"dst":"::/0","gw":"fd00:0:0:3::1"}],
         "dns":{"nameservers":["10.96.0.10"],"search":["svc.local"]}})"},
    {"1.0.0",
     R"({"interfaces":[{"name":"cni0","mac":"0a:58:0a:f4:03:01"},{"name":"HOST_LINK","mac":"HOST_MAC"},
                       {"name":"eth0","mac":"0a:58:0a:f4:03:02","sandbox":"/run/netns/c1"}],
         "ips":[{"interface":2,"address":"10.244.3.2/24","gateway":"10.244.3.1"},
                {"interface":2,"address":"fd00:0:0:3::2/64","gateway":"fd00:0:0:3::1"}],
         "routes":[{"dst":"192.0.2.0/24"},{"dst":"10.244.0.0/16"},{"dst":"fd00::/48"},
                   {"dst":"0.0.0.0/0","gw":"10.244.3.1"},{"dst":"::/0","gw":"fd00:0:0:3::1"}],
         "dns":{"nameservers":["10.96.0.10"],"search":["svc.local"]}})"},
    {"0.3.0 0.3.1 0.4.0",
     R"({"interfaces":[{"name":"cni0","mac":"0a:58:0a:f4:03:01"},{"name":"HOST_LINK","mac":"HOST_MAC"},
                       {"name":"eth0","mac":"0a:58:0a:f4:03:02","sandbox":"/run/netns/c1"}],
         "ips":[{"version":"4","interface":2,"address":"10.244.3.2/24","gateway":"10.244.3.1"},
                {"version":"6","interface":2,"address":"fd00:0:0:3::2/64","gateway":"fd00:0:0:3::1"}],
         "routes":[{"dst":"192.0.2.0/24"},{"dst":"10.244.0.0/16"},{"dst":"fd00::/48"},
                   {"dst":"0.0.0.0/0","gw":"10.244.3.1"},{"dst":"::/0","gw":"fd00:0:0:3::1"}],
         "dns":{"nameservers":["10.96.0.10"],"search":["svc.local"]}})"},
    {"0.1.0 0.2.0",
     R"({"ip4":{"ip":"10.244.3.2/24","gateway":"10.244.3.1",
                "routes":[{"dst":"192.0.2.0/24"},{"dst":"10.244.0.0/16"},{"dst":"0.0.0.0/0","gw":"10.244.3.1"}]},
         "ip6":{"ip":"fd00:0:0:3::2/64","gateway":"fd00:0:0:3::1",
                "routes":[{"dst":"fd00::/48"},{"dst":"::/0","gw":"fd00:0:0:3::1"}]},
         "dns":{"nameservers":["10.96.0.10"],"search":["svc.local"]}})"},
};

std::vector<std::string> words(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

/// Puts HOST_LINK and HOST_MAC for what differs from run to run.
json with_host_link_hidden(json result) {
  if (result.contains("interfaces")) {
    json& host = result["interfaces"].at(1);
    CHECK_THAT(host.at("name").get<std::string>(), Catch::Matches("veth[0-9a-f]{11}"));
    CHECK(host.at("mac") == ip("link show dev " + host.at("name").get<std::string>()).at(0).at("address"));
    host["name"] = "HOST_LINK";
    host["mac"] = "HOST_MAC";
  }
  return result;
}

TEST_CASE_METHOD(PluginHost, "ADD answers in the shape of the version that the configuration has",
                 "[verbs]") {
  write_lease(kLeaseDual);
  std::ofstream("/run/resolv.conf") << "nameserver 10.96.0.10\nsearch svc.local\n";
  conf["ipam"] = {{"routes", {{{"dst", "192.0.2.0/24"}}}}, {"resolvConf", "/run/resolv.conf"}};
  for (const Case& c : kCases) {
    for (const std::string& version : words(c.versions)) {
      DYNAMIC_SECTION(version) {
        conf["cniVersion"] = version;
        json expected = json::parse(c.answer);
        expected["cniVersion"] = version;
        CHECK(with_host_link_hidden(add(start_sandbox("c1"))) == expected);
      }
    }
  }
}

TEST_CASE_METHOD(PluginHost, "a configuration without version is answered as 0.1.0", "[verbs]") {
  conf.erase("cniVersion");
  const json result = add(start_sandbox("c1"));
  CHECK(result.at("cniVersion") == "0.1.0");
  CHECK(result.at("ip4").at("ip") == "10.244.3.2/24");
  CHECK_FALSE(result.contains("ips"));
}

TEST_CASE_METHOD(PluginHost, "CHECK and DEL take the result of any version that has them", "[verbs]") {
  for (const std::string version : {"0.4.0", "1.0.0", "1.1.0"}) {
    DYNAMIC_SECTION(version) {
      conf["cniVersion"] = version;
      const Sandbox pod = start_sandbox("c1");
      const json result = add(pod);
      succeed(check_call(pod, result));
      PluginCall del = check_call(pod, result);
      del.command = "DEL";
      succeed(del);
      CHECK(holdings().empty());
    }
  }
}

TEST_CASE_METHOD(PluginHost, "a verb that the version lacks is refused with code 1 and changes nothing",
                 "[verbs]") {
  const Sandbox pod = start_sandbox("c1");
  const json result = add(pod);
  const Holdings before = holdings();
  for (const auto& [verb, version] : {std::pair("CHECK", "0.3.1"), std::pair("GC", "1.0.0"),
                                      std::pair("STATUS", "1.0.0"), std::pair("ADD", "2.0.0")}) {
    DYNAMIC_SECTION(verb) {
      conf["cniVersion"] = version;
      PluginCall call = check_call(pod, result);
      call.command = verb;
      CHECK(refused(call).at("code") == 1);
      CHECK(holdings() == before);
    }
  }
}

TEST_CASE_METHOD(PluginHost, "routes of the configuration are in the pod with their attributes", "[verbs]") {
  conf["ipam"] = {{"routes",
                   {{{"dst", "192.0.2.0/24"}, {"gw", "10.244.3.9"}, {"mtu", 1300}, {"priority", 77}},
                    {{"dst", "198.51.100.0/24"}, {"table", 100}, {"advmss", 1200}},
                    {{"dst", "203.0.113.0/24"}, {"scope", 253}}}}};
  const Sandbox pod = start_sandbox("c1");
  const json result = add(pod);
  const json one = ip_in(pod, "route show 192.0.2.0/24").at(0);
  CHECK(one.at("gateway") == "10.244.3.9");
  CHECK(one.at("metric") == 77);
  CHECK(one.at("metrics").at(0).at("mtu") == 1300);
  const json two = ip_in(pod, "route show table 100").at(0);
  CHECK(two.at("dst") == "198.51.100.0/24");
  CHECK(two.at("gateway") == "10.244.3.1");
  CHECK(two.at("metrics").at(0).at("advmss") == 1200);
  const json three = ip_in(pod, "route show 203.0.113.0/24").at(0);
  CHECK(three.at("scope") == "link");
  CHECK_FALSE(three.contains("gateway"));
  succeed(check_call(pod, result));
}

TEST_CASE_METHOD(PluginHost, "a default route of the configuration takes the place of the gateway's",
                 "[verbs]") {
  conf["ipam"] = {{"routes", {{{"dst", "0.0.0.0/0"}, {"gw", "10.244.3.9"}}}}};
  const Sandbox pod = start_sandbox("c1");
  add(pod);
  const json routes = ip_in(pod, "route show default");
  REQUIRE(routes.size() == 1);
  CHECK(routes.at(0).at("gateway") == "10.244.3.9");
}

}  // namespace
}  // namespace holdfast::test
