// Addresses and MACs that are asked for, by every way there is, through the real program.
#include <string>
#include <vector>

#include "test/catch.h"
#include "test/cni-flannel/plugin/plugin_host.h"

namespace holdfast::test {
namespace {

using nlohmann::json;
using Texts = std::vector<std::string>;

/// One way to ask for something.
struct Way {
  const char* name;
  void (*ask)(json& conf, PluginCall& call, const std::string& value);
};

void add_args(PluginCall& call, const std::string& pair) { call.args += ";" + pair; }

const Way kIpWays[] = {
    {"CNI_ARGS IP", [](json&, PluginCall& call, const std::string& ip) { add_args(call, "IP=" + ip); }},
    {"args.cni.ips",
     [](json& conf, PluginCall&, const std::string& ip) { conf["args"]["cni"]["ips"] = {ip}; }},
    {"runtimeConfig.ips",
     [](json& conf, PluginCall&, const std::string& ip) { conf["runtimeConfig"]["ips"] = {ip + "/24"}; }},
};

const Way kMacWays[] = {
    {"CNI_ARGS MAC", [](json&, PluginCall& call, const std::string& mac) { add_args(call, "MAC=" + mac); }},
    {"args.cni.mac",
     [](json& conf, PluginCall&, const std::string& mac) { conf["args"]["cni"]["mac"] = mac; }},
    {"runtimeConfig.mac",
     [](json& conf, PluginCall&, const std::string& mac) { conf["runtimeConfig"]["mac"] = mac; }},
};

PluginCall asking(const PluginHost& node, const Sandbox& pod, const Way& way, const std::string& value) {
  PluginCall call = node.call("ADD", pod);
  json conf = node.conf;
  way.ask(conf, call, value);
  call.config = conf.dump();
  return call;
}

TEST_CASE_METHOD(PluginHost, "an address that is asked for is given, with the MAC that goes with it",
                 "[requests]") {
  for (const Way& way : kIpWays) {
    DYNAMIC_SECTION(way.name) {
      const Sandbox pod = start_sandbox("c1");
      CHECK(addresses_of(add(asking(*this, pod, way, "10.244.3.77"))) == Texts{"10.244.3.77/24"});
      CHECK(addresses_in(pod) == Texts{"10.244.3.77/24"});
      CHECK(mac_in(pod) == "0a:58:0a:f4:03:4d");
    }
  }
}

TEST_CASE_METHOD(PluginHost, "an address that cannot be given is refused by name, and nothing is made",
                 "[requests]") {
  struct Case {
    const char* name;
    const char* address;
    int code;
    const char* message;
  };
  const Case cases[] = {
      {"somebody has it", "10.244.3.2", 109, "requested IP address 10.244.3.2 is not available"},
      {"the gateway's", "10.244.3.1", 103, "10.244.3.1"},
      {"of another subnet", "10.244.9.7", 103, "10.244.9.7"},
      {"of the other family", "fd00:0:0:3::7", 103, "fd00:0:0:3::7"}};
  add(start_sandbox("c1", "first"));
  const Holdings held = holdings();
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const json error = refused(asking(*this, start_sandbox("c2", "second"), kIpWays[0], c.address));
      CHECK(error.at("code") == c.code);
      CHECK_THAT(error.at("msg").get<std::string>(), Catch::Contains(c.message));
      CHECK(holdings() == held);
    }
  }
}

TEST_CASE_METHOD(PluginHost, "one address of each family can be asked for", "[requests]") {
  write_lease(kLeaseDual);
  conf["runtimeConfig"]["ips"] = {"10.244.3.77", "fd00:0:0:3::77"};
  CHECK(addresses_of(add(start_sandbox("c1"))) == Texts{"10.244.3.77/24", "fd00:0:0:3::77/64"});
}

TEST_CASE_METHOD(PluginHost, "a pod keeps an address that it was given on request", "[requests]") {
  const Texts asked = addresses_of(add(asking(*this, start_sandbox("c1"), kIpWays[0], "10.244.3.77")));
  reboot();
  CHECK(addresses_of(add(start_sandbox("c2"))) == asked);
}

TEST_CASE_METHOD(PluginHost, "a MAC that is asked for is the pod's, whatever its address", "[requests]") {
  for (const Way& way : kMacWays) {
    DYNAMIC_SECTION(way.name) {
      const Sandbox pod = start_sandbox("c1");
      const json result = add(asking(*this, pod, way, "02:11:22:33:44:55"));
      CHECK(mac_in(pod) == "02:11:22:33:44:55");
      CHECK(pod_interface_of(result).at("mac") == "02:11:22:33:44:55");
      succeed(check_call(pod, result));
    }
  }
}

TEST_CASE_METHOD(PluginHost, "of several MACs runtimeConfig's counts, then that of args", "[requests]") {
  const Sandbox pod = start_sandbox("c1");
  PluginCall call = this->call("ADD", pod);
  add_args(call, "MAC=02:00:00:00:00:01");
  conf["args"]["cni"]["mac"] = "02:00:00:00:00:02";
  SECTION("all three") {
    conf["runtimeConfig"]["mac"] = "02:00:00:00:00:03";
    call.config = conf.dump();
    add(call);
    CHECK(mac_in(pod) == "02:00:00:00:00:03");
  }
  SECTION("args and CNI_ARGS") {
    call.config = conf.dump();
    add(call);
    CHECK(mac_in(pod) == "02:00:00:00:00:02");
  }
}

TEST_CASE_METHOD(PluginHost, "addresses that are reserved are never given", "[requests]") {
  conf["holdfast"]["reserved"] = {"10.244.3.2", "10.244.3.4/30"};
  CHECK(addresses_of(add(start_sandbox("c1", "a"))) == Texts{"10.244.3.3/24"});
  CHECK(addresses_of(add(start_sandbox("c2", "b"))) == Texts{"10.244.3.8/24"});
}

}  // namespace
}  // namespace holdfast::test
