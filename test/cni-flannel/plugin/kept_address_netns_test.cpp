// Pods keep their addresses: over reboots, garbage collection and new sandboxes. Through the real program.
#include <filesystem>
#include <string>
#include <vector>

#include "test/catch.h"
#include "test/cni-flannel/plugin/plugin_host.h"

namespace holdfast::test {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

/// What a pod is known by to its peers.
struct Identity {
  std::vector<std::string> addresses;
  std::string mac;
  bool operator==(const Identity&) const = default;
};

Identity identity_of(const json& result) {
  return {addresses_of(result), pod_interface_of(result).at("mac")};
}

const std::vector<std::string> kPods = {"web", "db", "cache"};

/// ADD of a sandbox "<pod>-<life>" of each pod, in `order`; by pod.
std::map<std::string, Identity> start_pods(PluginHost& node, const std::vector<std::string>& order,
                                           const std::string& life) {
  std::map<std::string, Identity> identities;
  for (const std::string& pod : order) {
    const Sandbox sandbox = PluginHost::start_sandbox(pod + "-" + life, pod, "uid-of-" + pod);
    identities[pod] = identity_of(node.add(sandbox));
    CHECK(addresses_in(sandbox) == identities[pod].addresses);
    CHECK(mac_in(sandbox) == identities[pod].mac);
  }
  return identities;
}

TEST_CASE_METHOD(PluginHost,
                 "after a reboot, GC with an empty list and ADD, every pod has its address and MAC",
                 "[kept]") {
  const std::vector<std::string> backwards(kPods.rbegin(), kPods.rend());
  for (const std::string_view lease : {kLeaseV4, kLeaseV6, kLeaseDual}) {
    DYNAMIC_SECTION(lease) {
      write_lease(lease);
      const auto before = start_pods(*this, kPods, "1");
      reboot();
      succeed(gc_call({}));
      CHECK(holdings().empty());
      CHECK(start_pods(*this, backwards, "2") == before);
    }
  }
}

TEST_CASE_METHOD(PluginHost, "pods keep their addresses over a reboot that no GC follows", "[kept]") {
  const auto before = start_pods(*this, kPods, "1");
  SECTION("and no DEL") { reboot(); }
  SECTION("and DELs come first") {
    reboot();
    for (const std::string& pod : kPods) {
      succeed(call("DEL", {.container_id = pod + "-1", .pod = pod, .pod_uid = "uid-of-" + pod, .netns = {}}));
    }
  }
  CHECK(start_pods(*this, {"db", "cache", "web"}, "2") == before);
}

TEST_CASE_METHOD(PluginHost, "a pod that is new after the reboot takes nobody's address", "[kept]") {
  const auto before = start_pods(*this, kPods, "1");
  reboot();
  succeed(gc_call({}));
  const Identity newcomer = identity_of(add(start_sandbox("new-1", "new", "uid-of-new")));
  for (const auto& [pod, identity] : before) CHECK(newcomer.addresses != identity.addresses);
  CHECK(start_pods(*this, kPods, "2") == before);
}

TEST_CASE_METHOD(PluginHost, "GC without a list does nothing", "[gc]") {
  const Sandbox pod = start_sandbox("c1");
  const json result = add(pod);
  const Holdings held = holdings();
  succeed(network_call("GC"));
  CHECK(holdings() == held);
  succeed(check_call(pod, result));
}

TEST_CASE_METHOD(PluginHost, "GC refuses a list that is not one and does nothing", "[gc]") {
  add(start_sandbox("c1"));
  const Holdings held = holdings();
  for (const json& list : {json(false), json("[]"), json::object(), json::array({json()}),
                           json::array({{{"containerID", "c1"}}}), json::array({{{"ifname", "eth0"}}})}) {
    DYNAMIC_SECTION(list.dump()) {
      conf["cni.dev/valid-attachments"] = list;
      const json error = refused(network_call("GC"));
      CHECK(error.at("code") == 7);
      CHECK_THAT(error.at("msg").get<std::string>(), Catch::Contains("cni.dev/valid-attachments"));
      CHECK(holdings() == held);
    }
  }
}

TEST_CASE_METHOD(PluginHost, "GC frees what is not listed, links, addresses, files and rules, and no binding",
                 "[gc]") {
  conf["delegate"]["ipMasq"] = true;
  conf["delegate"]["macspoofchk"] = true;
  const Sandbox stays = start_sandbox("stays-1", "stays");
  const json result = add(stays);
  const Holdings alone = holdings();
  const std::string alone_rules = rules();
  const Sandbox goes = start_sandbox("goes-1", "goes");
  const Identity gone = identity_of(add(goes));
  succeed(gc_call({stays}));
  CHECK(holdings() == alone);
  CHECK(rules() == alone_rules);
  CHECK(ip_in(goes, "link show").size() == 1);
  succeed(check_call(stays, result));
  CHECK(identity_of(add(start_sandbox("other-1", "other"))).addresses != gone.addresses);
  CHECK(identity_of(add(start_sandbox("goes-2", "goes"))) == gone);
}

TEST_CASE_METHOD(PluginHost, "an interface name is part of what GC compares", "[gc]") {
  const Sandbox pod = start_sandbox("c1");
  const json first = add(pod);
  PluginCall second = call("ADD", pod);
  second.ifname = "net1";
  add(second);
  succeed(gc_call({pod}));
  CHECK(holdings().host_links == std::set{host_link_of(first)});
  CHECK(holdings().addresses.size() == 1);
}

TEST_CASE_METHOD(PluginHost, "GC takes the list under the name that libcni gives it too", "[gc]") {
  const Sandbox stays = start_sandbox("c1", "stays");
  add(stays);
  add(start_sandbox("c2", "goes"));
  conf["cni.dev/attachments"] = {{{"containerID", "c1"}, {"ifname", "eth0"}}};
  succeed(network_call("GC"));
  CHECK(holdings().confs == std::set<std::string>{"c1"});
  CHECK(holdings().addresses.size() == 1);
}

TEST_CASE_METHOD(PluginHost, "GC leaves another network's attachments alone", "[gc]") {
  add(start_sandbox("c1"));
  const Holdings before = holdings();
  const json ours = conf;
  conf["name"] = "storage";
  conf["delegate"]["bridge"] = "cni0";
  const Sandbox other = start_sandbox("c2");
  const json result = add(other);
  conf = ours;
  succeed(gc_call({}));
  CHECK(holdings().host_links == std::set{host_link_of(result)});
  CHECK(holdings().addresses.empty());
  conf["name"] = "storage";
  succeed(check_call(other, result));
  CHECK(before.addresses.size() == 1);
}

TEST_CASE_METHOD(PluginHost, "GC goes on after an error, and tells of it", "[gc]") {
  add(start_sandbox("c1", "one"));
  add(start_sandbox("c2", "two"));
  fs::create_directories("/var/lib/cni/networks/cbr0/10.244.3.9");  // an address file that cannot be read
  CHECK_THAT(refused(gc_call({})).at("msg").get<std::string>(), Catch::Contains("10.244.3.9"));
  CHECK(holdings().host_links.empty());
  CHECK(holdings().confs.empty());
  CHECK_FALSE(fs::exists("/var/lib/cni/networks/cbr0/10.244.3.2"));
  CHECK_FALSE(fs::exists("/var/lib/cni/networks/cbr0/10.244.3.3"));
}

}  // namespace
}  // namespace holdfast::test
