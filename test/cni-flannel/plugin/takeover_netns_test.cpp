// Upstream's flannel plugin and ours on one node, one after the other and at once, over the same default
// folders: nothing breaks for the pods that run.
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "test/catch.h"
#include "test/cni-flannel/plugin/harness.h"
#include "test/cni-flannel/plugin/plugin_host.h"
#include "test/cni-flannel/plugin/upstream_flannel.h"
#include "test/netlink/fresh_netns.h"
#include "test/tools/pod_traffic.h"

namespace holdfast::test {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr char kAddressDir[] = "/var/lib/cni/networks/cbr0";

/// "10.244.0.2" of a result.
std::string address_of(const json& result) {
  const std::string cidr = addresses_of(result).at(0);
  return cidr.substr(0, cidr.find('/'));
}

/// A node whose files, lease and configuration are those that a real flannel wrote.
class FlannelNode : public PluginHost {
 public:
  FlannelNode() : upstream(json::parse(fixture("cni/flannel/delegate.json"))) {
    write_lease(fixture("cni/flannel/subnet.env"));
    conf = json::parse(fixture("cni/flannel/config.json"));
  }

  UpstreamFlannel upstream;
  std::string gateway = "10.244.0.1";

  /// A new pod of its own name, given an address by upstream or by ours.
  Sandbox upstream_pod(const std::string& id) {
    return enlist(id, [this](const Sandbox& pod) { return upstream.add(pod); });
  }
  Sandbox our_pod(const std::string& id) {
    return enlist(id, [this](const Sandbox& pod) { return add(pod); });
  }
  /// The pod is gone for good: nobody expects anything of it any more.
  void forget(const Sandbox& pod) { results.erase(pod.container_id); }

  /// The traffic between two running pods, and from them to their gateway.
  void start_traffic(PodTraffic& traffic, const Sandbox& one, const Sandbox& other) {
    require(traffic.add_way(one.netns, other.netns, address(other)));
    require(traffic.add_way(other.netns, one.netns, address(one)));
    require(traffic.add_way(one.netns, {}, gateway));
    require(traffic.add_way({}, other.netns, address(other)));
    traffic.start();
  }

  [[nodiscard]] std::string address(const Sandbox& pod) const {
    return address_of(results.at(pod.container_id));
  }

  /// No address was given twice, none but theirs is taken, and each pod reaches each other and the gateway.
  void check_all_pods(const std::vector<Sandbox>& pods) {
    std::map<std::string, std::string> expected;
    for (const auto& [id, result] : results) expected[address_of(result)] = id;
    CHECK(expected.size() == results.size());
    CHECK(holdings().addresses == expected);
    for (const Sandbox& from : pods) {
      for (const auto& [id, result] : results) {
        INFO("from " << from.container_id << " to " << id);
        CHECK(can_ping(from, address_of(result)));
      }
      CHECK(can_ping(from, gateway));
    }
  }

  std::map<std::string, json> results;  ///< of the pods that run, by container id

 private:
  template <class Add>
  Sandbox enlist(const std::string& id, const Add& add_pod) {
    Sandbox pod = start_sandbox(id, "pod-" + id, "uid-" + id);
    results[id] = add_pod(pod);
    return pod;
  }
  static void require(const Status& done) {
    INFO((done ? std::string() : done.error().message));
    REQUIRE(done.has_value());
  }
};

void nothing_was_lost(PodTraffic& traffic) {
  const PodTraffic::Count count = traffic.stop();
  CHECK(count.lost == std::vector<std::string>{});
  CHECK(count.answered > 100);
}

TEST_CASE_METHOD(FlannelNode, "ours takes over from flannel while its pods run", "[takeover]") {
  const Sandbox old1 = upstream_pod("old1");
  const Sandbox old2 = upstream_pod("old2");
  const Sandbox old3 = upstream_pod("old3");
  check_all_pods({old1, old2, old3});
  PodTraffic traffic;
  start_traffic(traffic, old1, old2);

  const Sandbox new1 = our_pod("new1");
  const Sandbox new2 = our_pod("new2");
  check_all_pods({old1, old3, new1, new2});
  for (const Sandbox& pod : {old1, old2, old3}) succeed(check_call(pod, results.at(pod.container_id)));

  SECTION("DEL of an attachment that flannel made") {
    succeed(call("DEL", old3));
    forget(old3);
    check_all_pods({old1, new1});
    CHECK(holdings().host_links.size() == 4);
    CHECK(holdings().confs == std::set<std::string>{"new1", "new2", "old1", "old2"});
    succeed(call("DEL", old3));
  }
  SECTION("DEL of one whose namespace is gone already") {
    drop_sandbox(old3);
    PluginCall del = call("DEL", old3);
    del.netns.clear();
    succeed(del);
    forget(old3);
    check_all_pods({old1, new1});
    CHECK(holdings().confs == std::set<std::string>{"new1", "new2", "old1", "old2"});
  }
  SECTION("GC that keeps all of them") {
    conf["cniVersion"] = "1.1.0";
    succeed(gc_call({old1, old2, old3, new1, new2}));
    check_all_pods({old1, new1});
    CHECK(holdings().host_links.size() == 5);
  }
  SECTION("GC that keeps all but one that flannel made, which the runtime remembers") {
    conf["cniVersion"] = "1.1.0";
    remember_as_runtime(old3, results.at("old3"));
    succeed(gc_call({old1, old2, new1, new2}));
    forget(old3);
    check_all_pods({old1, new1});
    CHECK(holdings().host_links.count(host_link_of(results.at("new1"))) == 1);
    CHECK(holdings().host_links.size() == 4);
  }
  nothing_was_lost(traffic);
}

TEST_CASE_METHOD(FlannelNode, "CHECK takes a pod of flannel's to be masqueraded by iptables, as it made it",
                 "[takeover]") {
  json masquerading = json::parse(fixture("cni/flannel/delegate.json"));
  masquerading["ipMasq"] = true;
  upstream = UpstreamFlannel(masquerading);
  const Sandbox pod = upstream_pod("old1");
  const json& result = results.at("old1");
  succeed(check_call(pod, result));
  output_of("iptables -t nat -F POSTROUTING");
  CHECK(refused(check_call(pod, result)).at("msg") == "the ipMasq rules of old1 are not there");
}

TEST_CASE_METHOD(FlannelNode, "flannel takes over from ours while its pods run", "[takeover]") {
  const Sandbox old1 = our_pod("old1");
  const Sandbox old2 = our_pod("old2");
  const Sandbox old3 = our_pod("old3");
  check_all_pods({old1, old2, old3});
  PodTraffic traffic;
  start_traffic(traffic, old1, old2);

  const Sandbox new1 = upstream_pod("new1");
  const Sandbox new2 = upstream_pod("new2");
  check_all_pods({old1, old3, new1, new2});
  for (const Sandbox& pod : {old1, old2, old3}) upstream.check(pod, results.at(pod.container_id));

  upstream.del(old3);
  forget(old3);
  check_all_pods({old1, new1});
  CHECK(holdings().host_links.size() == 4);
  CHECK(holdings().confs == std::set<std::string>{"new1", "new2", "old1", "old2"});
  succeed(call("DEL", old3));  // a late one, by ours, after another change back
  check_all_pods({old1, new1});

  // And back again: what upstream freed and gave in between is known.
  const Sandbox new3 = upstream_pod("new3");
  const Sandbox last = our_pod("last");
  check_all_pods({old1, new3, last});
  nothing_was_lost(traffic);
}

TEST_CASE_METHOD(FlannelNode, "both give addresses at the same time, and none twice", "[takeover]") {
  constexpr int kEach = 8;
  std::vector<PluginCall> calls;
  std::vector<Sandbox> pods;
  for (int i = 0; i < 2 * kEach; ++i) {
    const std::string number = std::to_string(i);
    pods.push_back(start_sandbox("c" + number, "pod-" + number, "uid-" + number));
    calls.push_back(i % 2 == 0 ? call("ADD", pods.back()) : upstream.add_call(pods.back()));
  }
  const auto ends = run_plugins(calls, std::chrono::seconds(60));
  REQUIRE(ends.has_value());
  for (std::size_t i = 0; i < pods.size(); ++i) {
    INFO((*ends)[i].out << (*ends)[i].err);
    REQUIRE((*ends)[i].exit_code == 0);
    results[pods[i].container_id] = json::parse((*ends)[i].out);
  }
  check_all_pods({pods.front(), pods.back()});

  for (std::size_t i = 0; i < pods.size(); ++i) {  // each by the other one
    if (i % 2 == 0) {
      upstream.del(pods[i]);
    } else {
      succeed(call("DEL", pods[i]));
    }
  }
  CHECK(holdings().empty());
}

TEST_CASE_METHOD(FlannelNode, "addresses of both fill one pool, and what either frees the other can give",
                 "[takeover]") {
  write_lease(
      "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.0.1/29\nFLANNEL_MTU=1450\n"
      "FLANNEL_IPMASQ=true\n");
  json small = json::parse(fixture("cni/flannel/delegate.json"));
  small["ipam"]["ranges"][0][0]["subnet"] = "10.244.0.0/29";
  upstream = UpstreamFlannel(small);
  const Sandbox theirs = upstream_pod("u1");
  upstream_pod("u2");
  upstream_pod("u3");
  const Sandbox ours = our_pod("o1");
  our_pod("o2");
  CHECK(results.size() == 5);  // all that a /29 has besides the gateway

  const Sandbox unlucky = start_sandbox("unlucky", "unlucky", "uid-u");
  CHECK_THAT(refused(call("ADD", unlucky)).at("msg").get<std::string>(),
             Catch::Contains("no IP addresses available"));
  const auto end = run_plugin(upstream.add_call(unlucky));
  REQUIRE(end.has_value());
  CHECK_THAT(end->out, Catch::Contains("no IP addresses available"));
  upstream.del(unlucky);  // upstream's failed ADD leaves its links
  check_all_pods({theirs, ours});

  const Sandbox further = start_sandbox("further", "further", "uid-f");
  SECTION("ours gives what it freed of upstream's") {
    succeed(call("DEL", theirs));
    results["further"] = add(further);
    CHECK(address(further) == address(theirs));
    forget(theirs);
  }
  SECTION("upstream gives what it freed of ours") {
    upstream.del(ours);
    results["further"] = upstream.add(further);
    CHECK(address(further) == address(ours));
    forget(ours);
  }
  check_all_pods({further});
}

TEST_CASE_METHOD(FlannelNode,
                 "a pod keeps the address that flannel gave it, or that ours gave before flannel",
                 "[takeover]") {
  const Sandbox before = start_sandbox("before", "web", "uid-web");
  upstream_pod("other1");

  SECTION("flannel gave it, and the runtime's cache names the pod") {
    results["before"] = upstream.add(before);
    remember_as_runtime(before, results["before"]);
    SECTION("ours deletes the old sandbox first") { succeed(call("DEL", before)); }
    SECTION("the old sandbox lives on") {}
  }
  SECTION("ours gave it, and flannel deleted the old sandbox") {
    results["before"] = add(before);
    upstream.del(before);
    upstream_pod("other2");  // host-local goes on behind the last address it gave, so the old one stays free
  }

  const Sandbox after = start_sandbox("after", "web", "uid-web");
  results["after"] = add(after);
  CHECK(address(after) == address(before));
  succeed(call("DEL", before));
  forget(before);
  check_all_pods({after});
  CHECK(holdings().host_links.size() == results.size());
}

TEST_CASE_METHOD(FlannelNode, "an address that flannel gave to another pod meanwhile is not taken back",
                 "[takeover]") {
  const Sandbox before = our_pod("web");
  const std::string old_address = address(before);
  upstream.del(before);
  forget(before);
  fs::remove(fs::path(kAddressDir) / "last_reserved_ip.0");  // upstream's round begins anew
  const Sandbox other = upstream_pod("other");
  REQUIRE(address(other) == old_address);

  Sandbox after = start_sandbox("after", before.pod, before.pod_uid);
  results["after"] = add(after);
  CHECK(address(after) != old_address);
  check_all_pods({other, after});
}

/// Makes the links that upstream's ADD told of, as it made them.
void rebuild_links(const json& result, const std::string& pod_netns) {
  const json& links = result.at("interfaces");
  const std::string bridge = links[0].at("name");
  const std::string host = links[1].at("name");
  const std::string inside = links[2].at("name");
  const std::string gateway = result.at("ips")[0].at("gateway");
  const auto text = [](const json& value) { return value.get<std::string>(); };
  output_of("ip link add " + bridge + " address " + text(links[0].at("mac")) + " type bridge");
  output_of("ip address add " + gateway + "/24 dev " + bridge + " && ip link set " + bridge + " up");
  output_of("ip link add " + host + " address " + text(links[1].at("mac")) + " master " + bridge +
            " up type veth peer name " + inside + " address " + text(links[2].at("mac")) + " netns " +
            pod_netns);
  const std::string in_pod = "ip -n " + pod_netns + " ";
  output_of(in_pod + "address add " + text(result.at("ips")[0].at("address")) + " dev " + inside);
  output_of(in_pod + "link set " + inside + " up");
  for (const json& route : result.at("routes")) {
    output_of(in_pod + "route add " + text(route.at("dst")) + " via " + route.value("gw", gateway));
  }
}

TEST_CASE_METHOD(FlannelNode, "ours takes over the pod of a recorded node, file by file as flannel left it",
                 "[takeover]") {
  const fs::path golden = std::string(HOLDFAST_FIXTURES) + "/golden-flannel";
  for (const char* folder : {"flannel", "networks", "results"}) {
    fs::copy(golden / folder, fs::path("/var/lib/cni") / folder);
  }
  fs::copy(golden / "networks/cbr0", kAddressDir);
  write_lease(fixture("golden-flannel/ipt/nodea.subnet.env"));
  gateway = "10.244.2.1";
  const Sandbox pod =
      start_sandbox("cnitool-1700c1c83389894fa656", "web-0", "5a1f2f7e-0a5b-4d0e-9a56-1d3cf5a3d6a1");
  json recorded =
      json::parse(fixture("golden-flannel/results/cbr0-" + pod.container_id + "-eth0")).at("result");
  recorded["interfaces"][2]["sandbox"] = pod.netns;
  rebuild_links(recorded, pod.container_id);
  results[pod.container_id] = recorded;

  succeed(check_call(pod, recorded));
  const Sandbox further = our_pod("further");
  CHECK(address(further) == "10.244.2.3");
  check_all_pods({pod, further});
  upstream.check(pod, recorded);

  succeed(call("DEL", pod));
  forget(pod);
  check_all_pods({further});
  CHECK(holdings().host_links == std::set<std::string>{host_link_of(results.at("further"))});
}

}  // namespace
}  // namespace holdfast::test
