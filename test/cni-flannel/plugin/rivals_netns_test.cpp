// What somebody else does beside an ADD or a GC, or tells them, costs no pod its address and no host its
// links. Through the real program.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "test/catch.h"
#include "test/cni-flannel/plugin/plugin_host.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::test {
namespace {

using nlohmann::json;

/// libcni's cache of an attachment whose result names these interfaces of the host, and one in the pod.
void write_cache(const std::string& container_id, const std::vector<std::string>& host_interfaces,
                 const std::string& address, const std::string& pod) {
  json interfaces = json::array();
  for (const std::string& name : host_interfaces) interfaces.push_back({{"name", name}});
  interfaces.push_back({{"name", "eth0"}, {"sandbox", "/run/netns/gone"}});
  const json cache = {{"kind", "cniCacheV1"},
                      {"containerId", container_id},
                      {"ifName", "eth0"},
                      {"networkName", "cbr0"},
                      {"cniArgs", {{"K8S_POD_NAMESPACE", "default"}, {"K8S_POD_NAME", pod}}},
                      {"result",
                       {{"cniVersion", "1.0.0"},
                        {"interfaces", interfaces},
                        {"ips", {{{"address", address}, {"interface", 0}}}}}}};
  std::filesystem::create_directories("/var/lib/cni/results");
  std::ofstream("/var/lib/cni/results/cbr0-" + container_id + "-eth0") << cache;
}

void write_address(const std::string& address, const std::string& container_id) {
  std::filesystem::create_directories("/var/lib/cni/networks/cbr0");
  std::ofstream("/var/lib/cni/networks/cbr0/" + address) << container_id << "\r\neth0";
}

TEST_CASE_METHOD(PluginHost, "Of ADDs of one container at once the one that wins keeps its address",
                 "[rivals]") {
  write_lease(kLeaseOfOne);
  for (int round = 0; round < 8; ++round) {
    INFO("round " << round);
    const Sandbox pod = start_sandbox("c" + std::to_string(round), "web");
    const auto ends = run_plugins({4, call("ADD", pod)}, std::chrono::seconds(20));
    REQUIRE(ends);
    const auto winners = std::ranges::count(*ends, 0, &PluginEnd::exit_code);
    REQUIRE(winners <= 1);
    CHECK(holdings().addresses.size() == static_cast<std::size_t>(winners));
    CHECK(holdings().host_links.size() == static_cast<std::size_t>(winners));
    const Sandbox other = start_sandbox("other" + std::to_string(round), "other");
    if (winners == 1) refused(call("ADD", other));  // there is one address only
    succeed(call("DEL", pod));
    CHECK(holdings().empty());
  }
}

TEST_CASE_METHOD(PluginHost, "GC deletes no link but a pod's, whatever the runtime's cache names",
                 "[rivals]") {
  const Sandbox pod = start_sandbox("c1");
  add(pod);
  std::filesystem::remove_all("/var/lib/cni/flannel-state");
  write_address("10.244.3.9", "old");
  write_cache("old", {"cni0"}, "10.244.3.9/24", "old-pod");
  succeed(gc_call({pod}));
  CHECK(addresses_on_host("cni0") == std::vector<std::string>{"10.244.3.1/24"});
  CHECK(holdings().addresses.size() == 1);
}

TEST_CASE_METHOD(PluginHost, "ADD deletes no link but a pod's, whatever the runtime's cache names",
                 "[rivals]") {
  output_of("ip link add uplink0 type bridge");
  write_address("10.244.3.9", "old");
  write_cache("old", {"cni0", "uplink0"}, "10.244.3.9/24", "web");
  add(start_sandbox("c1", "web"));
  CHECK(ip("link show dev uplink0").size() == 1);
}

}  // namespace
}  // namespace holdfast::test
