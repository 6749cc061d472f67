// DEL through the real program: whatever is left or gone, it succeeds, and takes nothing from anybody else.
#include <filesystem>
#include <fstream>
#include <string>

#include "test/catch.h"
#include "test/cni-flannel/plugin/plugin_host.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::test {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

TEST_CASE_METHOD(PluginHost, "DEL succeeds and leaves nothing, whatever is gone already", "[del]") {
  struct Case {
    const char* name;
    void (*before)(const Sandbox& pod, const json& result);
    bool with_netns;
  };
  const Case cases[] = {
      {"nothing is", [](const Sandbox&, const json&) {}, true},
      {"the namespace's path", [](const Sandbox& pod, const json&) { PluginHost::drop_sandbox(pod); }, true},
      {"the namespace, and CNI_NETNS is empty",
       [](const Sandbox& pod, const json&) { PluginHost::drop_sandbox(pod); }, false},
      {"CNI_NETNS alone", [](const Sandbox&, const json&) {}, false},
      {"the pod's interface", [](const Sandbox&, const json&) { output_of("ip -n c1 link delete eth0"); },
       true},
      {"the host's end",
       [](const Sandbox&, const json& result) { output_of("ip link delete " + host_link_of(result)); }, true},
      {"the bridge", [](const Sandbox&, const json&) { output_of("ip link delete cni0"); }, true},
      {"subnet.env", [](const Sandbox&, const json&) { fs::remove("/run/flannel/subnet.env"); }, true},
      {"the saved configuration", [](const Sandbox&, const json&) { fs::remove("/var/lib/cni/flannel/c1"); },
       true},
      {"the saved configuration, for it is torn",
       [](const Sandbox&, const json&) { std::ofstream("/var/lib/cni/flannel/c1") << R"({"name":"cb)"; },
       true},
      {"the address file",
       [](const Sandbox&, const json&) { fs::remove("/var/lib/cni/networks/cbr0/10.244.3.2"); }, true},
      {"all state",
       [](const Sandbox&, const json&) {
         for (const char* folder : {"flannel", "networks", "flannel-state"}) {
           fs::remove_all(fs::path("/var/lib/cni") / folder);
         }
       },
       true},
      {"everything: a reboot", [](const Sandbox&, const json&) { PluginHost::reboot(); }, true},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const Sandbox pod = start_sandbox("c1");
      c.before(pod, add(pod));
      PluginCall del = call("DEL", pod);
      if (!c.with_netns) del.netns.clear();
      succeed(del);
      CHECK(holdings().empty());
      succeed(del);
      CHECK(holdings().empty());
    }
  }
}

TEST_CASE_METHOD(PluginHost, "DEL of what was never added succeeds, on a node without any state too",
                 "[del]") {
  const Sandbox pod = start_sandbox("c1");
  succeed(call("DEL", pod));
  fs::remove("/run/flannel/subnet.env");
  succeed(call("DEL", pod));
  CHECK(holdings().empty());
  CHECK_FALSE(fs::exists("/var/lib/cni/networks"));
}

/// A runtime calls with the list that it has loaded now.
TEST_CASE_METHOD(PluginHost, "DEL takes down what was added before the network got another name", "[del]") {
  const Sandbox pod = start_sandbox("c1");
  add(pod);
  conf["name"] = "cbr1";
  const Sandbox of_new_name = start_sandbox("c2", "other");
  const json result = add(of_new_name);
  const std::string path = "/var/lib/cni/networks/cbr0/10.244.3.2";
  REQUIRE(fs::exists(path));
  succeed(call("DEL", pod));
  CHECK_FALSE(fs::exists(path));
  CHECK(holdings().host_links == std::set{host_link_of(result)});
  CHECK_FALSE(holdings().confs.contains("c1"));
  succeed(call("DEL", pod));
  succeed(check_call(of_new_name, result));
}

TEST_CASE_METHOD(PluginHost, "a late DEL of an old sandbox takes nothing of the pod's new one", "[del]") {
  const Sandbox before = start_sandbox("c1");
  add(before);
  const Sandbox after = start_sandbox("c2");
  const json result = add(after);
  const Holdings held = holdings();
  const auto late_del = [&](const std::string& netns) {
    PluginCall del = call("DEL", before);
    del.netns = netns;
    succeed(del);
  };
  SECTION("with its namespace") { late_del(before.netns); }
  SECTION("without a namespace") { late_del(""); }
  SECTION("with the namespace of the new one, which a runtime might give") { late_del(after.netns); }
  Holdings expected = held;
  expected.confs.erase("c1");
  CHECK(holdings() == expected);
  CHECK(expected.addresses.at("10.244.3.2") == "c2");
  succeed(check_call(after, result));
}

TEST_CASE_METHOD(PluginHost, "DEL takes nothing of the node's own namespace, given as the pod's", "[del]") {
  output_of("ip link add eth0 type veth peer name eth1");
  Sandbox pod = start_sandbox("c1");
  pod.netns = "/proc/self/ns/net";
  succeed(call("DEL", pod));
  CHECK(ip("link show").size() == 3);
}

TEST_CASE_METHOD(PluginHost, "DEL of one interface leaves the pod's other one", "[del]") {
  const Sandbox pod = start_sandbox("c1");
  add(pod);
  PluginCall second = call("ADD", pod);
  second.ifname = "net1";
  const json result = add(second);
  succeed(call("DEL", pod));
  CHECK(holdings().host_links == std::set{host_link_of(result)});
  CHECK(holdings().addresses.size() == 1);
  CHECK(addresses_in(pod, "net1") == addresses_of(result));
  second.command = "DEL";
  succeed(second);
  CHECK(holdings().empty());
}

TEST_CASE_METHOD(PluginHost, "DEL takes the pod's rules with it and leaves those of others", "[del]") {
  conf["delegate"] = {{"ipMasq", true}, {"macspoofchk", true}};
  const Sandbox one = start_sandbox("c1", "one");
  add(one);
  const std::string alone = rules();
  const Sandbox two = start_sandbox("c2", "two");
  add(two);
  CHECK(rules() != alone);
  succeed(call("DEL", two));
  CHECK(rules() == alone);
  succeed(call("DEL", one));
  CHECK_THAT(rules(), !Catch::Contains("c1"));
}

TEST_CASE_METHOD(PluginHost, "DEL is refused when its environment is incomplete, and keeps the pod",
                 "[del]") {
  const Sandbox pod = start_sandbox("c1");
  add(pod);
  const Holdings held = holdings();
  PluginCall del = call("DEL", pod);
  del.ifname.clear();
  const json error = refused(del);
  CHECK(error.at("code") == 4);
  CHECK(error.at("msg") == "required env variables [CNI_IFNAME] missing");
  CHECK(holdings() == held);
}

/// What the kernel does to a disk with errors (ext4: errors=remount-ro).
TEST_CASE_METHOD(PluginHost, "on a disk that became read-only CHECK works, and DEL takes the link down",
                 "[del]") {
  const Sandbox pod = start_sandbox("c1");
  const json result = add(pod);
  output_of("mount -o remount,ro /var/lib/cni");
  succeed(check_call(pod, result));
  const json error = refused(call("DEL", pod));
  CHECK_THAT(error.at("msg").get<std::string>(), Catch::Contains("Read-only file system"));
  CHECK(holdings().host_links.empty());
  output_of("mount -o remount,rw /var/lib/cni");
  succeed(call("DEL", pod));
  CHECK(holdings().empty());
}

}  // namespace
}  // namespace holdfast::test
