#include "cni-flannel/controller/network_plan.h"

#include <algorithm>
#include <string>
#include <utility>

#include "cni-flannel/controller/allotment.h"
#include "cni-flannel/daemon/controller_conditions.h"
#include "common/base/clock.h"
#include "test/catch.h"

namespace holdfast::flannel {
namespace {

constexpr std::chrono::sys_seconds kNow = std::chrono::sys_days{std::chrono::year{2026} / 11 / 22};
constexpr const char* kMac = "02:00:00:00:00:01";

struct Scene {
  std::map<std::string, SeenNode> nodes;
  std::map<std::string, SeenObject> objects;
  NetworkSight sight{.nodes = nodes, .objects = objects};
  NetworkPlanOptions options;

  Scene() {
    options.keys = AnnotationKeys::with_prefix().value();
    options.cluster_cidrs = {Cidr::parse("10.244.0.0/16").value()};
  }

  SeenNode& node(const std::string& name, const std::string& cidr = "", const std::string& pool = "") {
    SeenNode node{.id = {.name = name, .uid = "uid-" + name, .resource_version = "7"}, .pool = pool};
    if (!cidr.empty()) node.pod_cidrs = {Cidr::parse(cidr).value()};
    return nodes.insert_or_assign(name, std::move(node)).first->second;
  }
  // What an upstream flannel writes there.
  void run_upstream(const std::string& name, const std::string& mac) {
    nodes.at(name).told = network(name, mac);
  }
  SeenObject& object(const std::string& name, const std::string& cidr, const std::string& mac = kMac) {
    SeenObject object{.node_uid = "uid-" + name};
    object.id = {.name = name, .uid = "object-" + name, .resource_version = "8"};
    object.network = network(name, mac);
    object.network.pod_cidrs = {Cidr::parse(cidr).value()};
    return objects.insert_or_assign(name, std::move(object)).first->second;
  }
  [[nodiscard]] NodeNetwork network(const std::string& name, const std::string& mac) const {
    NodeNetwork out{.node = name, .backend_type = std::string(kVxlanBackend)};
    const auto node = nodes.find(name);
    if (node != nodes.end()) out.pod_cidrs = node->second.pod_cidrs;
    out.backend_data = BackendData{.vni = 1, .vtep_mac = MacAddress::parse(mac).value()};
    out.public_ip = IpAddress::v4({192, 0, 2, static_cast<std::uint8_t>(name.front() - 'a' + 1)});
    return out;
  }
  void pool(const std::string& name, const std::string& range, std::optional<std::uint32_t> most = {}) {
    sight.pools[name] = {.cidrs = {Cidr::parse(range).value()}, .most_nodes = most, .fault = {}};
  }
  NodeMoment& moment(const std::string& name) { return sight.moments[name]; }
  [[nodiscard]] NetworkPlan plan(std::chrono::sys_seconds now = kNow) const {
    return plan_networks(sight, options, now);
  }
};

// "give a 10.244.0.0/24", one a step.
std::vector<std::string> lines(const NetworkPlan& plan) {
  static constexpr std::array kVerbs{"give",     "adopt", "correct", "mirror",
                                     "annotate", "bury",  "revive",  "forget"};
  std::vector<std::string> out;
  for (const NetworkStep& step : plan.steps) {
    std::string line = std::string(kVerbs.at(static_cast<std::size_t>(step.verb))) + " " + step.node;
    for (const Cidr& cidr : step.cidrs) line += " " + cidr.to_string();
    out.push_back(std::move(line));
  }
  return out;
}

std::string reasons(const NetworkPlan& plan, const std::string& node) {
  const auto found = plan.findings.find(node);
  std::string out;
  if (found == plan.findings.end()) return out;
  for (const NodeFinding& each : found->second)
    out += (out.empty() ? "" : " ") + each.type + "/" + each.reason;
  return out;
}

using Lines = std::vector<std::string>;

TEST_CASE("nothing is done for a node whose name two machines have, and it is told", "[controller]") {
  Scene scene;
  scene.node("a");
  scene.moment("a").contested_for = std::chrono::seconds(90);
  scene.node("b", "10.244.1.0/24");
  scene.moment("b").contested_for = std::chrono::seconds(60);
  scene.run_upstream("b", kMac);
  scene.node("c", "10.244.2.0/24");
  scene.moment("c").contested_for = std::chrono::seconds(70);
  scene.object("c", "10.244.2.0/24");
  scene.node("d");
  const NetworkPlan plan = scene.plan();
  CHECK(lines(plan) == std::vector<std::string>{"give d 10.244.0.0/24"});
  for (const char* node : {"a", "b", "c"}) CHECK(reasons(plan, node) == "NodeNameUnique/TwoMachines");
  CHECK(plan.again_in == std::chrono::seconds(60));
}

TEST_CASE("a node without pod CIDRs gets a free block of the cluster, or of its pool", "[controller]") {
  Scene scene;
  scene.pool("shop", "10.9.0.0/23", 2);
  scene.node("a");
  scene.node("b", "10.244.0.0/24");
  scene.node("c", "", "shop");
  scene.node("d", "", "unranged");
  const NetworkPlan plan = scene.plan();
  CHECK(lines(plan) == Lines{"give a 10.244.1.0/24", "give c 10.9.0.0/24", "give d 10.244.2.0/24"});
  CHECK(plan.steps.at(0).uid == "uid-a");
  CHECK(plan.steps.at(0).resource_version == "7");
  CHECK(plan.findings.empty());
}

TEST_CASE("nodes get one block of each family, or none", "[controller]") {
  Scene scene;
  scene.options.cluster_cidrs.push_back(Cidr::parse("fd00:1::/63").value());
  scene.node("a");
  scene.node("b");
  scene.node("c");
  const NetworkPlan plan = scene.plan();
  CHECK(lines(plan) == Lines{"give a 10.244.0.0/24 fd00:1::/64", "give b 10.244.1.0/24 fd00:1:0:1::/64"});
  CHECK(reasons(plan, "c") == "PodCIDRsGiven/NoFreeCIDR");
}

TEST_CASE("without ranges the controller gives nothing, as another does", "[controller]") {
  Scene scene;
  scene.options.cluster_cidrs.clear();
  scene.node("a");
  scene.node("b", "", "unknown");
  CHECK(scene.plan().steps.empty());
  CHECK(scene.plan().findings.empty());
}

TEST_CASE("a node whose pool is not told is waited for", "[controller]") {
  Scene scene;
  scene.node("a");
  scene.moment("a").known_for = std::chrono::seconds(10);
  CHECK(scene.plan().steps.empty());
  CHECK(scene.plan().again_in == std::chrono::seconds(20));
  scene.node("a", "", "unranged");
  CHECK(lines(scene.plan()) == Lines{"give a 10.244.0.0/24"});
}

TEST_CASE("a node whose pool is not there waits for it, where there are NodePools", "[controller]") {
  Scene scene;
  scene.sight.has_pools = true;
  scene.node("a", "", "shop");
  scene.moment("a").known_for = std::chrono::seconds(10);
  CHECK(scene.plan().steps.empty());
  CHECK(scene.plan().findings.empty());
  CHECK(scene.plan().again_in == std::chrono::seconds(20));
  scene.moment("a").known_for = std::chrono::hours(1);
  CHECK(scene.plan().steps.empty());
  CHECK(reasons(scene.plan(), "a") == "PodCIDRsGiven/PoolUnknown");
  scene.sight.pools["shop"] = {};
  CHECK(lines(scene.plan()) == Lines{"give a 10.244.0.0/24"});
  scene.pool("shop", "10.9.0.0/16");
  CHECK(lines(scene.plan()) == Lines{"give a 10.9.0.0/24"});
}

TEST_CASE("a pool takes no more nodes than it says", "[controller]") {
  Scene scene;
  scene.pool("shop", "10.9.0.0/16", 2);
  scene.node("a", "10.9.0.0/24", "shop");
  scene.node("b", "", "shop");
  scene.node("c", "", "shop");
  const NetworkPlan plan = scene.plan();
  CHECK(lines(plan) == Lines{"give b 10.9.1.0/24"});
  CHECK(reasons(plan, "c") == "PodCIDRsGiven/PoolFull");
}

TEST_CASE("ranges that cannot be used give nothing, and say why", "[controller]") {
  Scene scene;
  scene.pool("shop", "10.9.0.0/25");
  scene.sight.pools["odd"] = {.fault = "'10.9' is not a CIDR"};
  scene.node("a", "", "shop");
  scene.node("b", "", "odd");
  const NetworkPlan plan = scene.plan();
  CHECK(plan.steps.empty());
  CHECK(plan.findings.at("a").front().message ==
        "the ranges of pool shop: 10.9.0.0/25 has no room for a /24");
  CHECK(plan.findings.at("b").front().message == "the ranges of pool odd: '10.9' is not a CIDR");
}

TEST_CASE("a node that comes back gets what it had, and nobody else does meanwhile", "[controller]") {
  Scene scene;
  scene.object("a", "10.244.0.0/24").removed_at = utc_text(kNow - std::chrono::hours(1));
  scene.node("b");
  CHECK(lines(scene.plan()) == Lines{"give b 10.244.1.0/24"});
  scene.node("a");
  CHECK(lines(scene.plan()) == Lines{"give a 10.244.0.0/24", "give b 10.244.1.0/24"});
}

TEST_CASE("what a node had is not given back when it is another's, or of another range", "[controller]") {
  Scene scene;
  scene.object("a", "10.244.0.0/24");
  scene.node("a");
  scene.node("b", "10.244.0.0/24");
  CHECK(lines(scene.plan()) == Lines{"give a 10.244.1.0/24"});
  scene.node("b", "10.244.7.0/24");
  scene.options.cluster_cidrs = {Cidr::parse("10.200.0.0/16").value()};
  CHECK(lines(scene.plan()) == Lines{"give a 10.200.0.0/24"});
}

TEST_CASE("an object without a Node is a tombstone for the time of quarantine", "[controller]") {
  Scene scene;
  SeenObject& object = scene.object("a", "10.244.0.0/24");
  CHECK(lines(scene.plan()) == Lines{"bury a"});
  CHECK(scene.plan().steps.front().uid == "object-a");
  object.removed_at = utc_text(kNow);
  CHECK(scene.plan().steps.empty());
  CHECK(scene.plan().again_in == scene.options.cidr_quarantine);
  CHECK(lines(scene.plan(kNow + scene.options.cidr_quarantine)) == Lines{"forget a"});
  object.removed_at = "last week";
  CHECK(scene.plan(kNow + 10 * scene.options.cidr_quarantine).steps.empty());
}

TEST_CASE("a tombstone whose Node is back is taken off when it tells what is true", "[controller]") {
  Scene scene;
  SeenNode& node = scene.node("a", "10.244.0.0/24");
  SeenObject& object = scene.object("a", "10.244.0.0/24");
  object.removed_at = utc_text(kNow);
  CHECK(scene.plan().steps.empty());  // what it had is not recorded
  object.allotted = node.pod_cidrs;
  CHECK(lines(scene.plan()) == Lines{"revive a"});
  object.node_uid = "of an earlier life";
  CHECK(scene.plan().steps.empty());
  node.addresses = {IpAddress::parse("192.0.2.1").value()};
  CHECK(lines(scene.plan()) == Lines{"revive a"});
  object.network.pod_cidrs = {Cidr::parse("10.244.9.0/24").value()};
  CHECK(scene.plan().steps.empty());
  object.mirrored = true;
  scene.run_upstream("a", kMac);
  CHECK(lines(scene.plan()) == Lines{"mirror a"});
}

TEST_CASE("what a node had is quarantined also when it registers again with another", "[controller]") {
  Scene scene;
  scene.pool("shop", "10.9.0.0/16");
  SeenObject& object = scene.object("a", "10.244.0.0/24");
  object.allotted = object.network.pod_cidrs;
  object.removed_at = utc_text(kNow);
  SeenNode& node = scene.node("a", "", "shop");
  scene.node("b");
  CHECK(lines(scene.plan()) == Lines{"give a 10.9.0.0/24", "give b 10.244.1.0/24"});
  node.pod_cidrs = {Cidr::parse("10.9.0.0/24").value()};
  CHECK(lines(scene.plan()) == Lines{"give b 10.244.1.0/24"});
  const Allotment told = allotment(scene.sight, "a", scene.options.cidr_quarantine, kNow);
  CHECK(told.cidrs == node.pod_cidrs);
  CHECK(told.freed == std::vector<FreedCidr>{{.cidr = Cidr::parse("10.244.0.0/24").value(), .since = kNow}});
  // The node tells the new one, and the controller is another process.
  object.allotted = told.cidrs;
  object.freed = told.freed;
  object.network.pod_cidrs = told.cidrs;
  object.removed_at.clear();
  const NetworkPlan plan = scene.plan(kNow + std::chrono::hours(24));
  CHECK(lines(plan) == Lines{"annotate a", "give b 10.244.1.0/24"});
  CHECK(plan.again_in == scene.options.cidr_quarantine - std::chrono::hours(24));
  const auto over = kNow + scene.options.cidr_quarantine;
  CHECK(lines(scene.plan(over)) == Lines{"annotate a", "give b 10.244.0.0/24"});
  CHECK(allotment(scene.sight, "a", scene.options.cidr_quarantine, over).freed.empty());
}

TEST_CASE("an object is not forgotten before what it freed is free", "[controller]") {
  Scene scene;
  SeenObject& object = scene.object("a", "10.244.0.0/24");
  object.allotted = object.network.pod_cidrs;
  object.removed_at = utc_text(kNow - scene.options.cidr_quarantine);
  object.freed = {{.cidr = Cidr::parse("10.244.7.0/24").value(), .since = kNow - std::chrono::hours(1)}};
  CHECK(scene.plan().steps.empty());
  CHECK(lines(scene.plan(kNow + scene.options.cidr_quarantine)) == Lines{"forget a"});
}

TEST_CASE("what a node claims beyond what it was given takes nothing from others", "[controller]") {
  Scene scene;
  SeenNode& node = scene.node("a", "10.244.1.0/24");
  scene.object("a", "10.244.0.0/16").allotted = node.pod_cidrs;
  scene.node("b");
  const NetworkPlan plan = scene.plan();
  CHECK(reasons(plan, "a") == "PodCIDRsOfNode/NotOfNode");
  CHECK(reasons(plan, "b").empty());
  CHECK(lines(plan).back() == "give b 10.244.0.0/24");
}

TEST_CASE("a node that runs upstream gets an object, which follows its annotations", "[controller]") {
  Scene scene;
  scene.node("a", "10.244.0.0/24");
  scene.run_upstream("a", kMac);
  CHECK(lines(scene.plan()) == Lines{"mirror a"});
  CHECK(scene.plan().steps.front().network == scene.network("a", kMac));
  SeenObject& object = scene.object("a", "10.244.0.0/24");
  object.mirrored = true;
  CHECK(scene.plan().steps.empty());
  scene.run_upstream("a", "02:00:00:00:00:09");
  CHECK(lines(scene.plan()) == Lines{"mirror a"});
  object.mirrored = false;  // flanneld keeps it now
  CHECK(scene.plan().steps.empty());
}

TEST_CASE("an object that flanneld kept follows annotations that have long said other", "[controller]") {
  Scene scene;
  scene.node("a", "10.244.0.0/24");
  scene.run_upstream("a", kMac);
  scene.object("a", "10.244.0.0/24");
  CHECK_FALSE(is_astray(scene.nodes.at("a"), scene.objects.at("a")));
  scene.nodes.at("a").told->public_ip = IpAddress::parse("192.0.2.9").value();
  CHECK(is_astray(scene.nodes.at("a"), scene.objects.at("a")));
  scene.moment("a").astray_for = std::chrono::seconds(1);
  CHECK(scene.plan().steps.empty());
  CHECK(scene.plan().again_in == std::chrono::seconds(599));
  scene.moment("a").astray_for = scene.options.adopt_after;
  CHECK(lines(scene.plan()) == Lines{"adopt a"});
  scene.objects.at("a").mirrored = true;
  CHECK(lines(scene.plan()) == Lines{"mirror a"});
}

TEST_CASE("what flanneld told by its object becomes annotations that its Node lacks", "[controller]") {
  Scene scene;
  scene.node("a", "10.244.0.0/24");
  scene.object("a", "10.244.0.0/24");
  const NetworkPlan plan = scene.plan();
  CHECK(lines(plan) == Lines{"annotate a"});
  CHECK(plan.steps.front().annotations == encode_annotations(scene.network("a", kMac), scene.options.keys));
  scene.objects.at("a").node_uid = "of an earlier life";
  CHECK(scene.plan().steps.empty());
}

TEST_CASE("who came first keeps what two nodes have", "[controller]") {
  Scene scene;
  scene.node("a", "10.244.0.0/24");
  scene.node("b", "10.244.0.0/23");
  scene.run_upstream("a", "02:00:00:00:00:0a");
  scene.run_upstream("b", "02:00:00:00:00:0b");
  scene.object("b", "10.244.0.0/23", "02:00:00:00:00:0b").mirrored = true;
  const NetworkPlan plan = scene.plan();
  CHECK(plan.steps.empty());
  CHECK(reasons(plan, "a") == "PodCIDRsUnique/Overlap");
  CHECK(
      plan.findings.at("a").front().message.starts_with("10.244.0.0/24 overlaps with 10.244.0.0/23 of b: "));
}

TEST_CASE("a node that claims what its Node does not have is told", "[controller]") {
  Scene scene;
  scene.node("a", "10.244.0.0/24");
  scene.node("b", "10.244.1.0/24");
  scene.object("b", "10.244.0.0/24");
  CHECK(reasons(scene.plan(), "b") == "PodCIDRsOfNode/NotOfNode");
  CHECK(reasons(scene.plan(), "a").empty());
  // Peers would take its word for what is a's.
  CHECK(lines(scene.plan()) == Lines{"correct b 10.244.1.0/24"});
  scene.objects.at("b").network.pod_cidrs = {Cidr::parse("10.244.7.0/24").value()};
  CHECK(reasons(scene.plan(), "b") == "PodCIDRsOfNode/NotOfNode");
  CHECK(lines(scene.plan()) == Lines{"annotate b"});
  scene.object("b", "10.244.0.0/24");
  // Of an earlier life of the Node, which flanneld replaces.
  scene.objects.at("b").allotted = {Cidr::parse("10.244.0.0/24").value()};
  CHECK(reasons(scene.plan(), "b").empty());
}

TEST_CASE("a node is allotted what its Node has, and keeps it while that is not known", "[controller]") {
  Scene scene;
  const std::vector<Cidr> had{Cidr::parse("10.244.7.0/24").value()};
  const auto of = [&](const char* node) {
    return allotment(scene.sight, node, scene.options.cidr_quarantine, kNow).cidrs;
  };
  scene.object("a", "10.244.0.0/24").allotted = had;
  CHECK(of("a") == had);
  CHECK(of("b").empty());
  SeenNode& node = scene.node("a");
  CHECK(of("a") == had);
  node.pod_cidrs = {Cidr::parse("10.244.0.0/24").value()};
  CHECK(of("a") == node.pod_cidrs);
  scene.moment("a").contested_for = std::chrono::seconds(1);
  CHECK(of("a") == had);
}

TEST_CASE("a copied disk's VTEP MAC is not told to peers a second time", "[controller]") {
  Scene scene;
  scene.node("a", "10.244.0.0/24");
  scene.node("b", "10.244.1.0/24");
  scene.run_upstream("a", kMac);
  scene.run_upstream("b", kMac);
  scene.object("b", "10.244.1.0/24").mirrored = true;
  const NetworkPlan plan = scene.plan();
  CHECK(plan.steps.empty());
  CHECK(reasons(plan, "a") == "VtepMACUnique/Duplicate");
}

TEST_CASE("one VTEP MAC of two nodes is told of the one that came later", "[controller]") {
  Scene scene;
  for (const char* name : {"a", "b"}) {
    scene.node(name, name[0] == 'a' ? "10.244.0.0/24" : "10.244.1.0/24");
    scene.run_upstream(name, kMac);
  }
  SeenObject& a = scene.object("a", "10.244.0.0/24");
  SeenObject& b = scene.object("b", "10.244.1.0/24");
  a.created = "2026-11-22T10:00:00Z";
  b.created = "2026-11-21T10:00:00Z";
  CHECK(reasons(scene.plan(), "a") == "VtepMACUnique/Duplicate");
  CHECK(reasons(scene.plan(), "b").empty());
  // A node that was refused the MAC does not get it by being older.
  b.told = {{.type = kMacUnique,
             .status = "False",
             .reason = "Duplicate",
             .message = "",
             .last_transition_time = ""}};
  CHECK(reasons(scene.plan(), "a").empty());
  CHECK(reasons(scene.plan(), "b") == "VtepMACUnique/Duplicate");
  a.removed_at = utc_text(kNow);
  CHECK(reasons(scene.plan(), "b").empty());
}

TEST_CASE("all nodes that publish one public address are told, and nothing is taken from them",
          "[controller]") {
  Scene scene;
  for (const char* name : {"a", "b", "c"}) {
    const std::string number(1, static_cast<char>(name[0] - 'a' + '1'));
    scene.node(name, "10.244." + number + ".0/24");
    scene.object(name, "10.244." + number + ".0/24", "02:00:00:00:00:0" + number);
    scene.run_upstream(name, "02:00:00:00:00:0" + number);
  }
  CHECK(scene.plan().findings.empty());
  NodeNetwork& a = scene.objects.at("a").network;
  NodeNetwork& b = scene.objects.at("b").network;
  SECTION("of IPv4") { b.public_ip = a.public_ip = IpAddress::parse("198.51.100.7").value(); }
  SECTION("of IPv6") { b.public_ipv6 = a.public_ipv6 = IpAddress::parse("2001:db8::7").value(); }
  const NetworkPlan plan = scene.plan();
  CHECK(plan.steps.empty());
  CHECK(reasons(plan, "a") == "PublicAddressUnique/Duplicate");
  CHECK(reasons(plan, "b") == "PublicAddressUnique/Duplicate");
  CHECK(reasons(plan, "c").empty());
  CHECK_THAT(
      plan.findings.at("a").front().message,
      Catch::Contains(" is the public address of b, too, and ") && Catch::Contains(kSharedAddressCure));
  const auto all_are_well = [&] { return scene.plan().findings.empty(); };
  scene.objects.at("b").removed_at = utc_text(kNow);
  CHECK(reasons(scene.plan(), "a").empty());
  scene.objects.at("b").removed_at.clear();
  CHECK_FALSE(all_are_well());
  b.managed = false;  // flannel runs there no more
  CHECK(all_are_well());
  b.managed = true;
  scene.nodes.erase("b");
  CHECK(all_are_well());
}

TEST_CASE("annotations and labels that cannot be used are told, and others go on", "[controller]") {
  Scene scene;
  scene.node("a", "10.244.0.0/24");
  scene.run_upstream("a", kMac);
  scene.nodes.at("a").untold = "public-ip: 'nowhere' is not an IP address";
  scene.node("b").contradicts = true;
  scene.node("c");
  const NetworkPlan plan = scene.plan();
  CHECK(lines(plan) == Lines{"give c 10.244.1.0/24"});
  CHECK(reasons(plan, "a") == "AnnotationsUsable/Unreadable");
  CHECK(reasons(plan, "b") == "PoolClear/LabelsContradict");
}

TEST_CASE("a node outside of its pool's ranges is told", "[controller]") {
  Scene scene;
  scene.pool("shop", "10.9.0.0/16");
  scene.node("a", "10.244.0.0/24", "shop");
  CHECK(reasons(scene.plan(), "a") == "PodCIDRsOfPool/OutsideOfPool");
}

TEST_CASE("ranges that two pools share are given once", "[controller]") {
  Scene scene;
  scene.pool("one", "10.9.0.0/23");
  scene.pool("two", "10.9.0.0/22");
  scene.node("a", "", "one");
  scene.node("b", "", "two");
  CHECK(lines(scene.plan()) == Lines{"give a 10.9.0.0/24", "give b 10.9.1.0/24"});
}

TEST_CASE("a plan of five thousand nodes that is done changes nothing", "[controller]") {
  Scene scene;
  scene.options.cluster_cidrs = {Cidr::parse("10.0.0.0/8").value()};
  for (int number = 0; number < 5000; ++number) scene.node("node-" + std::to_string(number));
  const NetworkPlan first = scene.plan();
  REQUIRE(first.steps.size() == 5000);
  for (const NetworkStep& step : first.steps) scene.nodes.at(step.node).pod_cidrs = step.cidrs;
  const NetworkPlan second = scene.plan();
  CHECK(second.steps.empty());
  CHECK(second.findings.empty());
}

}  // namespace
}  // namespace holdfast::flannel
