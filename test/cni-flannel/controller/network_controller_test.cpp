#include "cni-flannel/controller/network_controller.h"

#include <set>
#include <utility>

#include "cni-flannel/controller/controller_program.h"
#include "cni-flannel/controller/seen_nodes.h"
#include "cni-flannel/daemon/node_network_names.h"
#include "test/catch.h"
#include "test/cni-flannel/controller/controller_scene.h"
#include "test/fakes/wanted_metrics.h"
#include "test/kube_server/role_rules.h"

namespace holdfast::flannel {
namespace {

using namespace std::chrono_literals;
using holdfast::test::FaultKind;
using nlohmann::json;
using test::ControllerScene;
using test::kNodes;
using test::kObjects;

constexpr const char* kMac = "02:00:00:00:00:01";

TEST_CASE("Nodes are given pod CIDRs in a cluster without NodePools, and of their pools when those come",
          "[flannel controller]") {
  ControllerScene scene;
  scene.put_node("a");
  scene.put_node("b", "shop");
  scene.start();
  scene.turn_until([&] { return !scene.cidr_of("a").empty() && !scene.cidr_of("b").empty(); });
  CHECK(std::set{scene.cidr_of("a"), scene.cidr_of("b")} ==
        std::set<std::string>{"10.244.0.0/24", "10.244.1.0/24"});
  CHECK(scene.at(std::string(kNodes) + "a")["spec"]["podCIDRs"] == json::array({scene.cidr_of("a")}));
  scene.serve_pools();
  scene.put_pool("shop", "10.9.0.0/16", "2");
  scene.turn_until([&] { return scene.count_requests("watch nodepools") != 0; });
  scene.put_node("c", "shop");
  scene.turn_until([&] { return !scene.cidr_of("c").empty(); });
  CHECK(scene.cidr_of("c") == "10.9.0.0/24");
}

TEST_CASE("A cluster in which all is right is not written to", "[flannel controller]") {
  ControllerScene scene;
  scene.put_node("a");
  scene.run_upstream("a", kMac);
  scene.start();
  scene.turn_until([&] { return !scene.at(std::string(kObjects) + "a").is_null(); });
  scene.turn_for(100ms);
  scene.start("one");
  scene.server.forget_requests();
  scene.turn_until([&] { return scene.controller->leads() && scene.controller->ready(); });
  scene.server.put(std::string(kNodes) + "a", {{"metadata", {{"annotations", {{"heartbeat", "1"}}}}}});
  scene.turn_for(100ms);
  CHECK(scene.count_writes() == 0);
  for (const char* prefix : {"holdfast_flannel_", "holdfast_api_"}) {
    CHECK(holdfast::test::metrics_not_in(scene.metrics.render(), prefix).empty());
  }
}

TEST_CASE("A look is had for a node that waits at once, for others now and then, for heartbeats never",
          "[flannel controller]") {
  ControllerScene scene;
  scene.options.between = 1h;
  scene.put_node("a");
  scene.start();
  scene.turn_until([&] { return !scene.cidr_of("a").empty(); });
  scene.turn_for(100ms);
  Gauge& pass =
      scene.metrics.gauge("holdfast_flannel_pass_seconds", "How long the last look at all nodes took");
  pass.set(-1);
  scene.server.put(std::string(kNodes) + "a", {{"status", {{"conditions", {{{"type", "Ready"}}}}}}});
  scene.turn_for(100ms);
  CHECK(pass.value() == -1);
  scene.server.put(std::string(kNodes) + "a",
                   {{"metadata", {{"labels", {{"apps.openyurt.io/nodepool", "other"}}}}}});
  scene.turn_for(100ms);
  CHECK(pass.value() == -1);
  scene.put_node("b");
  scene.turn_until([&] { return !scene.cidr_of("b").empty(); });
  CHECK(pass.value() > 0);
}

TEST_CASE("Of a Node is kept what flannel told, and of its heartbeats nothing", "[flannel controller]") {
  const AnnotationKeys keys = AnnotationKeys::with_prefix().value();
  json node{{"metadata",
             {{"name", "a"},
              {"uid", "u"},
              {"resourceVersion", "1"},
              {"annotations",
               {{keys.kube_subnet_manager, "true"},
                {keys.backend_type, "vxlan"},
                {keys.public_ip, "192.0.2.1"},
                {"node.alpha.kubernetes.io/ttl", "0"}}}}},
            {"spec", {{"podCIDRs", json::array({"10.244.0.0/24"})}}}};
  const Result<SeenNode> seen = decode_seen_node(JsonObject(&node, ""), keys);
  REQUIRE(seen);
  REQUIRE(seen->told);
  CHECK(seen->told->public_ip == IpAddress::parse("192.0.2.1").value());
  CHECK(seen->told->pod_cidrs == seen->pod_cidrs);
  node["metadata"]["resourceVersion"] = "2";
  node["metadata"]["annotations"]["node.alpha.kubernetes.io/ttl"] = "15";
  CHECK(same_but_version(*seen, decode_seen_node(JsonObject(&node, ""), keys).value()));
  node["metadata"]["annotations"][keys.public_ip] = "nowhere";
  const Result<SeenNode> other = decode_seen_node(JsonObject(&node, ""), keys);
  REQUIRE(other);
  CHECK_FALSE(same_but_version(*seen, *other));
  CHECK_FALSE(other->told);
  CHECK_THAT(other->untold, Catch::Contains("public-ip"));
  CHECK(other->fault.empty());
}

TEST_CASE("An upstream node's object follows its annotations until flanneld keeps it",
          "[flannel controller]") {
  ControllerScene scene;
  scene.put_node("a");
  scene.run_upstream("a", kMac);
  scene.start();
  const std::string path = std::string(kObjects) + "a";
  scene.turn_until([&] { return !scene.at(path).is_null(); });
  const json object = scene.at(path);
  CHECK(object["spec"]["flannel"]["podCIDRs"] == json::array({"10.244.0.0/24"}));
  CHECK(object["spec"]["flannel"]["backendData"]["VtepMAC"] == kMac);
  CHECK(object["metadata"]["annotations"][kMirroredAnnotation] ==
        scene.at(std::string(kNodes) + "a")["metadata"]["uid"]);
  scene.run_upstream("a", "02:00:00:00:00:02");
  scene.turn_until(
      [&] { return scene.at(path)["spec"]["flannel"]["backendData"]["VtepMAC"] == "02:00:00:00:00:02"; });
  scene.turn_until([&] { return scene.at(path)["status"]["cluster"].contains("podCIDRs"); });
  scene.server.put(path, {{"metadata", {{"annotations", {{"net.holdfast.dev/node-uid", "x"}}}}}});
  scene.server.forget_requests();
  scene.run_upstream("a", "02:00:00:00:00:03");
  scene.turn_for(100ms);
  CHECK(scene.count_writes() == 0);
}

TEST_CASE("A node that went back to upstream's flannel is followed again", "[flannel controller]") {
  ControllerScene scene;
  scene.options.plan.adopt_after = 1s;
  scene.put_node("a");
  scene.run_upstream("a", kMac);
  scene.start();
  const std::string path = std::string(kObjects) + "a";
  scene.turn_until([&] { return scene.at(path)["status"]["cluster"].contains("podCIDRs"); });
  const json uid = scene.at(std::string(kNodes) + "a")["metadata"]["uid"];
  scene.server.put(path, {{"metadata", {{"annotations", {{"net.holdfast.dev/node-uid", uid}}}}}});
  scene.run_upstream("a", "02:00:00:00:00:03");
  scene.turn_until(
      [&] { return scene.at(path)["spec"]["flannel"]["backendData"]["VtepMAC"] == "02:00:00:00:00:03"; });
  const json annotations = scene.at(path)["metadata"]["annotations"];
  CHECK(annotations[kMirroredAnnotation] == uid);
  CHECK_FALSE(annotations.contains("net.holdfast.dev/node-uid"));
}

TEST_CASE("A removed node leaves a tombstone, which keeps its pod CIDRs for it", "[flannel controller]") {
  ControllerScene scene;
  scene.put_node("a");
  scene.run_upstream("a", kMac);
  scene.start();
  const std::string path = std::string(kObjects) + "a";
  scene.turn_until([&] { return !scene.at(path).is_null(); });
  scene.server.remove(std::string(kNodes) + "a");
  scene.turn_until([&] { return scene.at(path)["spec"].contains("removedAt"); });
  scene.put_node("b");
  scene.turn_until([&] { return !scene.cidr_of("b").empty(); });
  CHECK(scene.cidr_of("b") == "10.244.1.0/24");
  scene.put_node("a");
  scene.turn_until([&] { return !scene.cidr_of("a").empty(); });
  CHECK(scene.cidr_of("a") == "10.244.0.0/24");
  scene.run_upstream("a", "02:00:00:00:00:02");
  scene.turn_until([&] { return !scene.at(path)["spec"].contains("removedAt"); });
  CHECK(scene.at(path)["spec"]["flannel"]["backendData"]["VtepMAC"] == "02:00:00:00:00:02");
  scene.server.remove(std::string(kNodes) + "a");
  scene.turn_until([&] { return scene.at(path)["spec"].contains("removedAt"); });
  scene.options.plan.cidr_quarantine = 0s;
  scene.start();
  scene.turn_until([&] { return scene.at(path).is_null(); });
}

TEST_CASE("What a node had stays in quarantine when it registers again in another pool",
          "[flannel controller]") {
  ControllerScene scene;
  scene.serve_pools();
  scene.put_pool("shop", "10.9.0.0/16");
  scene.put_pool("default", "");
  scene.put_node("a");
  scene.run_upstream("a", kMac);
  scene.start();
  const std::string path = std::string(kObjects) + "a";
  scene.turn_until([&] { return scene.at(path)["status"]["cluster"].contains("podCIDRs"); });
  CHECK(scene.cidr_of("a") == "10.244.0.0/24");
  scene.server.remove(std::string(kNodes) + "a");
  scene.turn_until([&] { return scene.at(path)["spec"].contains("removedAt"); });
  scene.put_node("a", "shop");
  scene.turn_until([&] { return scene.at(path)["status"]["cluster"].contains("freed"); });
  CHECK(scene.cidr_of("a") == "10.9.0.0/24");
  // Not before it tells what it has now: peers would send to what it had.
  CHECK(scene.at(path)["spec"].contains("removedAt"));
  scene.run_upstream("a", kMac);
  scene.turn_until([&] { return !scene.at(path)["spec"].contains("removedAt"); });
  CHECK(scene.at(path)["spec"]["flannel"]["podCIDRs"] == json::array({"10.9.0.0/24"}));
  scene.start();
  scene.put_node("b");
  scene.turn_until([&] { return !scene.cidr_of("b").empty(); });
  CHECK(scene.cidr_of("b") == "10.244.1.0/24");
  scene.options.plan.cidr_quarantine = 0s;
  scene.start();
  scene.turn_until([&] { return scene.at(path)["status"]["cluster"]["freed"].empty(); });
  scene.put_node("c");
  scene.turn_until([&] { return !scene.cidr_of("c").empty(); });
  CHECK(scene.cidr_of("c") == "10.244.0.0/24");
}

TEST_CASE("Two machines that run as one node are told, and peers keep what they know of it",
          "[flannel controller]") {
  ControllerScene scene;
  scene.put_node("a");
  scene.run_upstream("a", kMac);
  scene.start();
  const std::string path = std::string(kObjects) + "a";
  scene.turn_until([&] { return !scene.at(path).is_null(); });
  const auto boots = [&](const std::string& boot) {
    scene.server.put(std::string(kNodes) + "a", {{"status", {{"nodeInfo", {{"bootID", boot}}}}}});
    scene.turn_for(2 * scene.options.gather);
  };
  for (const char* boot : {"one", "two", "one", "two"}) boots(boot);
  CHECK(scene.told_of("a").empty());
  while (scene.told_of("a").empty()) {
    boots("one");
    boots("two");
  }
  CHECK(scene.told_of("a") == "NodeNameUnique/TwoMachines");
  scene.turn_until([&] { return scene.count_requests("create events") != 0; });
  scene.run_upstream("a", "02:00:00:00:00:02");
  scene.put_node("b");
  scene.turn_until([&] { return !scene.cidr_of("b").empty(); });
  CHECK(scene.at(path)["spec"]["flannel"]["backendData"]["VtepMAC"] == kMac);
}

TEST_CASE("What is wrong with a node stands in its object's status, and comes right",
          "[flannel controller]") {
  ControllerScene scene;
  scene.put_node("a");
  scene.put_node("b");
  scene.run_upstream("a", kMac);
  scene.start();
  scene.turn_until([&] { return !scene.at(std::string(kObjects) + "a").is_null(); });
  scene.run_upstream("b", kMac);
  scene.turn_until([&] { return scene.count_requests("create events") != 0; });
  CHECK(scene.at(std::string(kObjects) + "b").is_null());
  scene.run_upstream("b", "02:00:00:00:00:02");
  scene.turn_until([&] { return !scene.at(std::string(kObjects) + "b").is_null(); });
  scene.run_upstream("b", kMac);
  scene.turn_until([&] { return scene.told_of("b") == "VtepMACUnique/Duplicate"; });
  scene.run_upstream("b", "02:00:00:00:00:02");
  scene.turn_until([&] { return scene.told_of("b").empty(); });
  CHECK(scene.at(std::string(kObjects) + "b")["status"]["cluster"]["conditions"][0]["status"] == "True");
}

TEST_CASE(
    "Both nodes that publish one public address are told by an Event and a condition, until it is mended",
    "[flannel controller]") {
  ControllerScene scene;
  for (const char* node : {"a", "b", "c"}) scene.put_node(node);
  scene.run_upstream("a", kMac, "198.51.100.7");
  scene.run_upstream("b", "02:00:00:00:00:02", "198.51.100.7");
  scene.run_upstream("c", "02:00:00:00:00:03");
  scene.start();
  const std::string shared = "PublicAddressUnique/Duplicate";
  scene.turn_until([&] { return scene.told_of("a") == shared && scene.told_of("b") == shared; });
  scene.turn_until([&] { return scene.count_requests("create events") == 2; });
  CHECK(scene.told_of("c").empty());
  CHECK_THAT(scene.metrics.render(),
             Catch::Contains("holdfast_flannel_findings{condition=\"PublicAddressUnique\"} 2\n"));
  // peers are told of both as before
  for (const char* node : {"a", "b"}) {
    CHECK(scene.at(std::string(kObjects) + node)["spec"]["flannel"]["publicIP"] == "198.51.100.7");
  }
  scene.run_upstream("b", "02:00:00:00:00:02");
  scene.turn_until([&] { return scene.told_of("a").empty() && scene.told_of("b").empty(); });
}

TEST_CASE("What its Node has is allotted to a node's object, whatever that claims", "[flannel controller]") {
  ControllerScene scene;
  scene.put_node("a");
  scene.start();
  scene.turn_until([&] { return !scene.cidr_of("a").empty(); });
  const std::string path = std::string(kObjects) + "a";
  scene.server.put(path, {{"apiVersion", kNodeNetworkApiVersion},
                          {"kind", kNodeNetworkKind},
                          {"metadata", {{"annotations", {{"net.holdfast.dev/node-uid", "x"}}}}},
                          {"spec", {{"flannel", {{"podCIDRs", json::array({"10.244.7.0/24"})}}}}}});
  scene.turn_until([&] { return scene.told_of("a") == "PodCIDRsOfNode/NotOfNode"; });
  CHECK(scene.at(path)["status"]["cluster"]["podCIDRs"] == json::array({"10.244.0.0/24"}));
}

TEST_CASE("An object whose first writing claims another's pod CIDRs gets those of its Node",
          "[flannel controller]") {
  ControllerScene scene;
  scene.put_node("a");
  scene.put_node("b");
  scene.start();
  scene.turn_until([&] { return !scene.cidr_of("a").empty() && !scene.cidr_of("b").empty(); });
  const std::string path = std::string(kObjects) + "b";
  scene.server.put(path, {{"apiVersion", kNodeNetworkApiVersion},
                          {"kind", kNodeNetworkKind},
                          {"metadata", {{"annotations", {{"net.holdfast.dev/node-uid", "x"}}}}},
                          {"spec",
                           {{"flannel",
                             {{"podCidr", scene.cidr_of("a")},
                              {"podCIDRs", json::array({scene.cidr_of("a")})},
                              {"publicIP", "192.0.2.2"}}}}}});
  const json own = json::array({scene.cidr_of("b")});
  scene.turn_until([&] { return scene.at(path)["spec"]["flannel"]["podCIDRs"] == own; });
  CHECK(scene.at(path)["spec"]["flannel"]["podCidr"] == scene.cidr_of("b"));
  CHECK(scene.at(path)["spec"]["flannel"]["publicIP"] == "192.0.2.2");
  CHECK(scene.at(path)["metadata"]["annotations"]["net.holdfast.dev/node-uid"] == "x");
  scene.turn_until([&] { return scene.at(path)["status"]["cluster"]["podCIDRs"] == own; });
  scene.turn_until([&] { return scene.told_of("b").empty(); });
}

TEST_CASE("An object that cannot be read is told so once", "[flannel controller]") {
  ControllerScene scene;
  scene.put_node("a");
  scene.start();
  scene.turn_until([&] { return !scene.cidr_of("a").empty(); });
  scene.server.put(std::string(kObjects) + "a", {{"apiVersion", kNodeNetworkApiVersion},
                                                 {"kind", kNodeNetworkKind},
                                                 {"spec", {{"flannel", {{"publicIP", "nowhere"}}}}}});
  scene.turn_until([&] { return scene.told_of("a") == "Readable/ObjectUnreadable"; });
  scene.turn_for(200ms);
  scene.server.forget_requests();
  scene.turn_for(300ms);
  CHECK(scene.count_writes() == 0);
}

TEST_CASE("An object that cannot be read and whose Node is gone is marked as removed once",
          "[flannel controller]") {
  ControllerScene scene;
  const std::string path = std::string(kObjects) + "a";
  scene.server.put(path, {{"apiVersion", kNodeNetworkApiVersion},
                          {"kind", kNodeNetworkKind},
                          {"spec", {{"flannel", {{"publicIP", "nowhere"}}}}}});
  scene.start();
  scene.turn_until([&] { return scene.at(path)["spec"].contains("removedAt"); });
  scene.turn_for(200ms);
  CHECK(scene.count_writes() == 1);
}

TEST_CASE("Many nodes that join at once are given pod CIDRs after one look", "[flannel controller]") {
  constexpr int kJoining = 4 * static_cast<int>(NetworkController::kMostWrites);
  ControllerScene scene;
  scene.options.gather = 2s;
  for (int number = 0; number < kJoining; ++number) scene.put_node("node-" + std::to_string(number));
  scene.start();
  Gauge& pass =
      scene.metrics.gauge("holdfast_flannel_pass_seconds", "How long the last look at all nodes took");
  int looks = 0;
  std::set<std::string> given;
  scene.turn_until([&] {
    if (pass.value() > 0) ++looks;
    pass.set(0);
    given.clear();
    for (int number = 0; number < kJoining; ++number) {
      given.insert(scene.cidr_of("node-" + std::to_string(number)));
    }
    return !given.contains("");
  });
  CHECK(given.size() == kJoining);
  CHECK(looks < 4);  // one, on a machine that has nothing else to do
}

TEST_CASE("Pod CIDRs are given before all else is written, by a server that is slow",
          "[flannel controller]") {
  ControllerScene scene;
  const auto upstream = [&](int number) { return "upstream-" + std::to_string(number); };
  for (int number = 0; number < 100; ++number) {
    scene.put_node(upstream(number));
    scene.run_upstream(upstream(number),
                       "02:00:00:00:01:" + std::to_string(number / 10) + std::to_string(number % 10));
    scene.server.put(kNodes + upstream(number),
                     {{"spec", {{"podCIDR", "10.245." + std::to_string(number) + ".0/24"}}}});
  }
  scene.put_node("zebra");
  scene.options.write = NetworkController::Options{}.write;
  scene.server.fault({.kind = FaultKind::kDelay, .verb = "patch", .times = -1, .delay = 5s});
  scene.start();
  scene.turn_until([&] { return scene.count_requests("patch nodes") != 0; });
  CHECK(scene.count_requests("patch") <= NetworkController::kMostWrites);
  scene.turn_until([&] { return !scene.cidr_of("zebra").empty(); });
  CHECK(scene.count_requests("patch nodes") == 1);
}

TEST_CASE("A block that another node is found with meanwhile is not given", "[flannel controller]") {
  ControllerScene scene;
  for (std::size_t number = 0; number < NetworkController::kMostWrites; ++number) {
    scene.put_node("node-" + std::to_string(number));
  }
  scene.put_node("zebra");
  scene.options.gather = 1s;
  scene.server.fault({.kind = FaultKind::kDelay,
                      .verb = "patch",
                      .plural = "nodes",
                      .times = static_cast<int>(NetworkController::kMostWrites),
                      .delay = 500ms});
  scene.start();
  scene.turn_until([&] { return scene.count_requests("patch nodes") == NetworkController::kMostWrites; });
  // what was to be zebra's, of a kubelet that knows better
  scene.server.put(std::string(kNodes) + "aardvark", {{"spec", {{"podCIDR", "10.244.16.0/24"}}}});
  scene.turn_until([&] { return !scene.cidr_of("zebra").empty(); });
  CHECK(scene.cidr_of("zebra") == "10.244.17.0/24");
}

TEST_CASE("Whatever write is lost, no two nodes are given the same", "[flannel controller]") {
  struct Case {
    FaultKind kind;
    int status;
  };
  const auto [kind, status] =
      GENERATE(Case{FaultKind::kDrop, 0}, Case{FaultKind::kDropAfter, 0}, Case{FaultKind::kSilence, 0},
               Case{FaultKind::kStatus, 503}, Case{FaultKind::kStatus, 409}, Case{FaultKind::kStatus, 429});
  CAPTURE(static_cast<int>(kind), status);
  ControllerScene scene;
  scene.options.write = 100ms;
  for (int number = 0; number < 40; ++number) scene.put_node("node-" + std::to_string(number));
  scene.server.fault({.kind = kind, .verb = "patch", .plural = "nodes", .times = 7, .status = status});
  scene.start();
  scene.turn_until([&] { return scene.count_requests("patch nodes") > 10; });
  scene.put_node("aardvark");  // comes before those that are under way
  scene.turn_until([&] {
    for (int number = 0; number < 40; ++number) {
      if (scene.cidr_of("node-" + std::to_string(number)).empty()) return false;
    }
    return !scene.cidr_of("aardvark").empty();
  });
  std::set<std::string> given{scene.cidr_of("aardvark")};
  for (int number = 0; number < 40; ++number) given.insert(scene.cidr_of("node-" + std::to_string(number)));
  CHECK(given.size() == 41);
}

TEST_CASE("A controller that dies between any two writes is followed by one that goes on",
          "[flannel controller]") {
  const std::size_t writes = GENERATE(1U, 2U, 5U, 9U);
  ControllerScene scene;
  for (int number = 0; number < 10; ++number) scene.put_node("node-" + std::to_string(number));
  scene.start("one");
  scene.turn_until([&] { return scene.count_writes() >= writes; });
  scene.die();
  scene.start("one");  // by the name of the dead one, whose lease it so need not wait for
  std::set<std::string> given;
  scene.turn_until([&] {
    given.clear();
    for (int number = 0; number < 10; ++number) given.insert(scene.cidr_of("node-" + std::to_string(number)));
    return !given.contains("");
  });
  CHECK(given.size() == 10);
}

TEST_CASE("A cache that has lost its content buries nobody", "[flannel controller]") {
  ControllerScene scene;
  scene.put_node("a");
  scene.run_upstream("a", kMac);
  scene.start();
  scene.turn_until([&] { return !scene.at(std::string(kObjects) + "a").is_null(); });
  scene.die();
  scene.server.forget_requests();
  scene.server.fault({.kind = FaultKind::kStaleEmpty, .verb = "list", .plural = "nodes", .times = -1});
  scene.start();
  scene.turn_until([&] { return scene.controller->leads() && scene.count_requests("watch nodes") != 0; });
  scene.turn_for(300ms);
  CHECK_FALSE(scene.controller->ready());
  CHECK(scene.count_writes() == 0);
}

TEST_CASE("A Node that cannot be read is not taken for one that is gone", "[flannel controller]") {
  const json node{{"metadata", {{"name", "a"}, {"uid", "u"}, {"resourceVersion", "1"}}},
                  {"spec", {{"podCIDRs", json::array({"10.244.0.0/33"})}}}};
  const Result<SeenNode> seen =
      decode_seen_node(JsonObject(&node, ""), AnnotationKeys::with_prefix().value());
  REQUIRE(seen);
  CHECK(seen->fault == "spec.podCIDRs[0]: '10.244.0.0/33' is not a CIDR");
  const json object{{"apiVersion", "net.holdfast.dev/v1alpha1"},
                    {"kind", "NodeNetworkConfiguration"},
                    {"metadata", {{"name", "a"}, {"uid", "o"}, {"resourceVersion", "1"}}},
                    {"spec", {{"flannel", {{"publicIP", "nowhere"}}}}}};
  const Result<SeenObject> seen_object = decode_seen_object(JsonObject(&object, ""));
  REQUIRE(seen_object);
  CHECK_FALSE(seen_object->fault.empty());
}

TEST_CASE("One of two network controllers acts, and the other takes over", "[flannel controller]") {
  ControllerScene scene;
  scene.start("one");
  scene.turn_until([&] { return scene.controller->leads(); });
  bool stopped = false;
  scene.controller->stop([&] { stopped = true; });
  scene.turn_until([&] { return stopped; });
  scene.put_node("a");
  scene.turn_for(100ms);
  CHECK(scene.cidr_of("a").empty());
  scene.start("two");
  scene.turn_until([&] { return !scene.cidr_of("a").empty(); });
}

TEST_CASE("Of two controllers at once one acts, and one that loses its lease leaves its write to the other",
          "[flannel controller]") {
  ControllerScene scene;
  scene.start("one");
  scene.turn_until([&] { return scene.controller->leads(); });
  scene.start_rival("two");
  scene.turn_until([&] { return scene.rival->ready(); });
  scene.put_node("a");
  scene.turn_until([&] { return !scene.cidr_of("a").empty(); });
  CHECK_FALSE(scene.rival->leads());
  CHECK(scene.count_requests("patch nodes") == 1);
  const auto held_by = [&](const char* identity) {
    scene.server.put("/apis/coordination.k8s.io/v1/namespaces/kube-flannel/leases/flannel-controller",
                     {{"spec", {{"holderIdentity", identity}}}});
  };
  // The leader is writing when its lease is another's.
  scene.server.fault({.kind = FaultKind::kSilence, .verb = "patch", .plural = "nodes"});
  scene.put_node("b");
  scene.turn_until([&] { return scene.count_requests("patch nodes") == 2; });
  held_by("a third");
  scene.turn_until([&] { return !scene.controller->leads(); });
  held_by("two");
  scene.put_node("aardvark");  // comes before the one that is under way
  bool both_led = false;
  scene.turn_until([&] {
    both_led = both_led || (scene.controller->leads() && scene.rival->leads());
    return !scene.cidr_of("b").empty() && !scene.cidr_of("aardvark").empty();
  });
  CHECK_FALSE(both_led);
  CHECK(scene.rival->leads());
  CHECK(std::set{scene.cidr_of("a"), scene.cidr_of("b"), scene.cidr_of("aardvark")}.size() == 3);
  // What the first began is forgotten with its lead: it does not come back to it.
  held_by("a third");
  scene.turn_until([&] { return !scene.rival->leads(); });
  held_by("one");
  scene.turn_until([&] { return scene.controller->leads() && !scene.rival->leads(); });
  scene.put_node("c");
  scene.turn_until([&] { return !scene.cidr_of("c").empty(); });
  CHECK(std::set{scene.cidr_of("a"), scene.cidr_of("b"), scene.cidr_of("aardvark"), scene.cidr_of("c")}
            .size() == 4);
}

TEST_CASE("The roles of our manifests allow all that flannel-controller asks for, and little else",
          "[flannel controller]") {
  ControllerScene scene;
  scene.serve_pools();
  scene.put_pool("default", "");
  scene.put_node("a");
  scene.put_node("b");
  scene.run_upstream("a", kMac);
  scene.start();
  scene.turn_until([&] { return !scene.at(std::string(kObjects) + "a").is_null(); });
  scene.run_upstream("b", kMac);
  scene.turn_until([&] { return scene.count_requests("create events") != 0; });
  scene.run_upstream("b", "02:00:00:00:00:02");
  scene.turn_until([&] { return !scene.at(std::string(kObjects) + "b").is_null(); });
  scene.run_upstream("b", kMac);
  scene.turn_until([&] { return !scene.told_of("b").empty(); });
  scene.server.remove(std::string(kNodes) + "a");
  scene.turn_until([&] { return scene.at(std::string(kObjects) + "a")["spec"].contains("removedAt"); });
  scene.options.plan.cidr_quarantine = 0s;
  scene.start();
  scene.turn_until([&] { return scene.count_requests("delete nodenetworkconfigurations") != 0; });
  const std::string manifests = HOLDFAST_MANIFESTS "/base/";
  const auto granted = holdfast::test::Roles::in(manifests).bound_to(
      holdfast::test::account_in(manifests + "flannel-controller/controller.yaml"));
  CHECK(holdfast::test::refused(granted, scene.server.asked()) == std::vector<std::string>{});
  const std::vector<std::string> other{"patch events in default"};  // of one that is repeated
  CHECK(holdfast::test::unasked(granted, scene.server.asked()) == other);
  for (const char* refused :
       {"delete nodes/a", "create nodes", "patch nodes/a/status", "patch nodepools.apps.openyurt.io/a",
        "get secrets/a in kube-flannel", "create pods in kube-flannel",
        "delete leases.coordination.k8s.io/a in kube-flannel"}) {
    INFO(refused);
    CHECK_FALSE(holdfast::test::allows(granted, refused));
  }
}

TEST_CASE("flannel-controller's flags that cannot be meant are refused", "[flannel controller]") {
  const auto parse = [](std::vector<std::string> arguments) { return parse_controller_options(arguments); };
  const auto good = parse({"--cluster-cidr=10.244.0.0/16,fd00:1::/48", "--node-cidr-mask-size=26",
                           "--cidr-quarantine=60", "--healthz=:11267"});
  REQUIRE(good);
  CHECK(good->plan.cluster_cidrs.size() == 2);
  CHECK(good->plan.node_prefix_v4 == 26);
  CHECK(parse({"--cluster-cidr=10.244.0.0/25"}).error().message ==
        "--cluster-cidr: 10.244.0.0/25 has no room for a /24");
  CHECK_FALSE(parse({"--cluster-cidr=10.244.0.0"}).has_value());
  CHECK_FALSE(parse({"--node-cidr-mask-size=33"}).has_value());
  CHECK_FALSE(parse({"--cidr-quarantine=-1"}).has_value());
  CHECK_FALSE(parse({"--nonsense"}).has_value());
}

}  // namespace
}  // namespace holdfast::flannel
