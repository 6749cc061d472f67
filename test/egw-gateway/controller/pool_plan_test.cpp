#include "egw-gateway/controller/pool_plan.h"

#include <algorithm>
#include <functional>

#include "common/base/base64.h"
#include "egw-gateway/bfd/key_file.h"
#include "egw-gateway/controller/pool_keys.h"
#include "test/catch.h"
#include "test/egw-gateway/controller/plan_scene.h"

namespace holdfast::gateway {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using test::enhanced;
using test::PlanScene;

using Names = std::vector<std::string>;

const Names kAll{"EdgeGateway site",  "Secret site-keys",  "Secret site-liveness", "PodDisruptionBudget site",
                 "Deployment site-a", "Deployment site-b", "DaemonSet site-helper"};

// A pool whose two gateways run.
struct Running : PlanScene {
  Running() {
    settle();
    run("a", "box-1", "10.244.1.7");
    run("b", "box-2", "10.244.2.7");
    settle();
    REQUIRE(objects() == kAll);
    REQUIRE(condition(kGatewaysReady).status == "True");
  }
  void expect_all_stays(const char* type, const char* reason) {
    const auto before = written;
    settle();
    CHECK(condition(type).status == "False");
    CHECK(condition(type).reason == reason);
    CHECK(objects() == kAll);
    for (const auto& [key, object] : before) {
      if (key.first == Kind::kEdgeGateway) {
        json now = written[key]["spec"];
        json was = object["spec"];
        for (json* each : {&now, &was}) each->erase("nodes");  // they are as they are
        CHECK(now == was);
      } else {
        CHECK(written[key] == object);
      }
    }
  }
};

TEST_CASE("An enhanced pool with two amd64 nodes gets all it needs, each after what it stands on",
          "[egw controller]") {
  PlanScene scene;
  CHECK(scene.settle() ==
        Names{"apply EdgeGateway site", "create Secret site-keys", "create Secret site-liveness",
              "apply PodDisruptionBudget site", "apply Deployment site-b", "apply Deployment site-a",
              "apply DaemonSet site-helper", "apply EdgeGateway site", "status EdgeGateway site"});
  CHECK(scene.objects() == kAll);
  const EdgeGateway& spec = scene.gateways.at("site").spec;
  CHECK(spec.pod_cidrs == std::vector{Cidr::parse("10.244.0.0/16").value()});
  CHECK(spec.vpc_cidrs == std::vector{Cidr::parse("172.16.0.0/12").value()});
  CHECK(spec.access_points.size() == 1);
  CHECK(spec.liveness.key_secret == "site-liveness");
  CHECK(scene.settle().empty());
}

TEST_CASE("The gateways that run are in the EdgeGateway, and stay while they do not", "[egw controller]") {
  Running scene;
  const SeenGateway& gateway = scene.gateways.at("site");
  REQUIRE(gateway.spec.gateways.size() == 2);
  CHECK(gateway.spec.gateways[0].node == "box-1");
  CHECK(gateway.spec.gateways[0].priority > gateway.spec.gateways[1].priority);
  CHECK(gateway.status.active == "a");
  scene.now = "2026-01-02T00:00:00Z";
  scene.stop("a");
  scene.settle();
  CHECK(gateway.spec.gateways.size() == 2);
  CHECK(gateway.status.active == "b");
  CHECK(gateway.status.last_switch == scene.now);
  CHECK_FALSE(gateway.status.gateways[0].ready);
  CHECK(scene.condition(kGatewaysReady).reason == "GatewayDown");
  CHECK(scene.condition(kGatewaysReady).last_transition_time == scene.now);
  CHECK(scene.condition(kEnhanced).last_transition_time == "2026-01-01T00:00:00Z");
  SECTION("another pod of it takes its place") {
    scene.run("a", "box-3", "10.244.3.7");
    scene.settle();
    CHECK(gateway.spec.gateways[0].node == "box-3");
  }
  SECTION("one that took the other's node or address leaves one entry for it") {
    scene.run("b", "box-1", "10.244.1.7");
    scene.settle();
    REQUIRE(gateway.spec.gateways.size() == 1);
    CHECK(gateway.spec.gateways[0].name == "b");
  }
}

TEST_CASE("A pool that cannot have gateways gets none, and is told why", "[egw controller]") {
  struct Case {
    const char* name;
    std::function<void(PlanScene&)> fault;
    const char* type;
    const char* reason;
  };
  const auto without = [](const char* key) {
    Text out = enhanced();
    out.erase(key);
    return out;
  };
  const auto with = [](const char* key, const char* value) {
    Text out = enhanced();
    out[key] = value;
    return out;
  };
  const Case cases[] = {
      {"one amd64 node only", [](PlanScene& s) { s.nodes.erase("box-2"); }, kNodesSuffice, "TooFewNodes"},
      {"a node whose labels contradict", [](PlanScene& s) { s.nodes.at("box-2").desired = {"other"}; },
       kNodesInPlace, "NodeMoved"},
      {"a node that leaves", [](PlanScene& s) { s.nodes.at("box-2").leaving = true; }, kNodesSuffice,
       "TooFewNodes"},
      {"no CEN", [&](PlanScene& s) { s.put_pool("site", without(kCenIdAnnotation)); }, kAnnotationsUsable,
       "AnnotationMissing"},
      {"no ranges", [&](PlanScene& s) { s.put_pool("site", without(kPodCidrsAnnotation)); },
       kAnnotationsUsable, "AnnotationMissing"},
      {"no count", [&](PlanScene& s) { s.put_pool("site", with(kMaxNodesAnnotation, "-1")); },
       kAnnotationsUsable, "AnnotationInvalid"},
      {"no range",
       [&](PlanScene& s) { s.put_pool("site", with(kPodCidrsAnnotation, "10.244.0.0/16,10.1/33")); },
       kAnnotationsUsable, "AnnotationInvalid"},
      {"all ranges", [&](PlanScene& s) { s.put_pool("site", with(kPodCidrsAnnotation, "0.0.0.0/0")); },
       kAnnotationsUsable, "AnnotationInvalid"},
      {"an id with a line end", [&](PlanScene& s) { s.put_pool("site", with(kCcnIdAnnotation, "a\nb")); },
       kAnnotationsUsable, "AnnotationInvalid"},
      {"a default pool", [&](PlanScene& s) { s.put_pool("site", with(kIsDefaultAnnotation, "true")); },
       kAnnotationsUsable, "AnnotationContradictory"},
      {"a pool of the cloud", [&](PlanScene& s) { s.put_pool("site", enhanced(), "Cloud"); },
       kAnnotationsUsable, "AnnotationContradictory"},
      {"an unknown CEN", [&](PlanScene& s) { s.put_pool("site", with(kCenIdAnnotation, "cen-2")); },
       kConnectionKnown, "ConnectionUnknown"},
      {"a configuration that is none",
       [](PlanScene& s) { s.connections = parse_connections("[{cenId: 1}]"); }, kConnectionKnown,
       "ConfigurationInvalid"},
      {"pods as in the VPC", [](PlanScene& s) { s.put_pool("site", enhanced("172.20.0.0/16")); },
       kRangesDisjoint, "RangesOverlap"},
      {"ranges within each other",
       [](PlanScene& s) { s.put_pool("site", enhanced("10.244.0.0/16,10.244.3.0/24")); }, kRangesDisjoint,
       "RangesOverlap"},
      {"a node in the VPC's range",
       [](PlanScene& s) { s.nodes.at("box-1").addresses = {IpAddress::parse("172.16.0.9").value()}; },
       kRangesDisjoint, "RangesOverlap"},
      {"a node in the pool's range",
       [](PlanScene& s) { s.nodes.at("box-1").addresses = {IpAddress::parse("10.244.0.9").value()}; },
       kRangesDisjoint, "RangesOverlap"},
      {"pods where tunnels end", [](PlanScene& s) { s.put_pool("site", enhanced("198.19.0.0/16")); },
       kRangesDisjoint, "RangesOverlap"},
      {"pods where an access point is", [](PlanScene& s) { s.put_pool("site", enhanced("203.0.113.0/24")); },
       kRangesDisjoint, "RangesOverlap"},
      {"an access point without ports",
       [](PlanScene& s) { s.connections->front().gateway.access_points.front().port = 65535; },
       kConnectionKnown, "PortsExhausted"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      PlanScene scene;
      c.fault(scene);
      const std::vector<PoolFinding> told = scene.plan().news;
      const auto event =
          std::ranges::find_if(told, [&](const PoolFinding& one) { return one.type == std::string(c.type); });
      REQUIRE(event != told.end());
      CHECK(event->reason == std::string(c.reason));
      scene.settle();
      CHECK(scene.objects() == Names{"EdgeGateway site"});
      CHECK(scene.condition(c.type).status == "False");
      CHECK(scene.condition(c.type).reason == c.reason);
      CHECK(scene.plan().news.empty());
    }
  }
}

TEST_CASE("Two pools with one range: the second gets nothing, and the first stays", "[egw controller]") {
  Running scene;
  scene.put_pool("late", enhanced("10.244.128.0/17"));
  scene.put_node("late-1", "late");
  scene.put_node("late-2", "late");
  scene.settle("late");
  CHECK_FALSE(scene.deployments.contains("late-a"));
  CHECK(scene.gateways.at("late").spec.pod_cidrs.empty());
  CHECK(scene.settle().empty());
}

TEST_CASE("Two pools that are made with one range at the same time: one gets it, the other may have another",
          "[egw controller]") {
  PlanScene scene;
  scene.put_pool("late", enhanced());
  scene.put_node("late-1", "late");
  scene.put_node("late-2", "late");
  scene.step("site");
  auto written = std::exchange(scene.gateways, {});  // neither was seen when the other was planned
  scene.step("late");
  scene.gateways.merge(written);
  REQUIRE(scene.gateways.at("site").spec.pod_cidrs == scene.gateways.at("late").spec.pod_cidrs);
  scene.settle("late");
  CHECK(scene.deployments.contains("late-a"));
  scene.settle("site");
  CHECK_FALSE(scene.deployments.contains("site-a"));
  CHECK(scene.condition(kRangesDisjoint).reason == "RangesOverlap");
  CHECK(scene.gateways.at("site").spec.pod_cidrs.empty());  // access points would hold it for the pool's
  CHECK(scene.settle("late").empty());
  scene.put_pool("site", enhanced("10.9.0.0/16"));
  scene.settle("site");
  CHECK(scene.deployments.contains("site-a"));
  CHECK(scene.gateways.at("site").spec.pod_cidrs == std::vector{Cidr::parse("10.9.0.0/16").value()});
}

// What somebody has made of an object, as a watch tells it.
void change_gateway(PlanScene& scene, const std::function<void(json& spec)>& change) {
  json object = scene.written.at({Kind::kEdgeGateway, "site"});
  change(object["spec"]);
  object["metadata"]["generation"] = object["metadata"]["generation"].get<int>() + 1;
  scene.gateways["site"] = decode_seen_gateway(JsonObject(&object, "")).value();
}

TEST_CASE("An EdgeGateway that cannot be read is told, and put right by what is known", "[egw controller]") {
  Running scene;
  scene.memory.spec = scene.gateways.at("site").spec;
  const json before = scene.written.at({Kind::kEdgeGateway, "site"})["spec"];
  change_gateway(scene, [](json& spec) { spec["vpcCIDRs"] = {"172.16.0/12"}; });
  const auto told = scene.plan().news;
  const auto event = std::ranges::find(told, std::string(kObjectUsable), &PoolFinding::type);
  REQUIRE(event != told.end());
  CHECK(event->reason == std::string("SpecUnreadable"));
  CHECK_THAT(event->message, Catch::Contains("172.16.0/12"));
  SECTION("as it is told") {}
  SECTION("also with a gateway that does not run") { scene.stop("a"); }
  SECTION("also when the configuration is lost") { scene.connections = std::vector<Connection>{}; }
  scene.settle();
  CHECK(scene.written.at({Kind::kEdgeGateway, "site"})["spec"] == before);
  CHECK(scene.gateways.at("site").trouble.empty());
  CHECK(scene.condition(kObjectUsable).status == "True");
  CHECK(scene.objects() == kAll);
}

TEST_CASE("An EdgeGateway that cannot be read keeps its pool what it has", "[egw controller]") {
  Running scene;
  change_gateway(scene, [](json& spec) { spec["podCIDRs"] = {"nonsense"}; });
  SECTION("when its pool goes, for as long as any other") {
    scene.pools.erase("site");
    for (const char* node : {"box-1", "box-2", "arm-1"}) scene.put_node(node, "");
    const PoolPlan plan = scene.plan();
    CHECK(plan.gone);
    CHECK(plan.again_in == 1h);
    CHECK(std::ranges::none_of(plan.steps, [](const Step& step) { return step.verb == Verb::kRemove; }));
  }
  SECTION("when nothing is known that could be put back") {
    scene.connections = std::vector<Connection>{};
    CHECK(std::ranges::none_of(scene.plan().steps, [](const Step& step) {
      return step.kind == Kind::kEdgeGateway && step.verb == Verb::kApply;
    }));
  }
  SECTION("when another asks for its range") {
    scene.put_pool("late", enhanced());
    scene.put_node("late-1", "late");
    scene.put_node("late-2", "late");
    scene.settle("late");
    CHECK_FALSE(scene.deployments.contains("late-a"));
  }
}

TEST_CASE("An EdgeGateway is not made one that nobody could read", "[egw controller]") {
  Running scene;
  const EdgeGateway before = scene.gateways.at("site").spec;
  scene.nodes.at("box-2").addresses = {IpAddress::parse("0.0.0.0").value()};
  scene.settle();
  CHECK(scene.gateways.at("site").spec == before);
  CHECK(scene.condition(kObjectUsable).reason == "WouldBeUnreadable");
  CHECK(scene.objects() == kAll);
}

TEST_CASE("Services among what is reached in the cloud are told, and exempt when their range is",
          "[egw controller]") {
  Running scene;
  scene.options.service = IpAddress::parse("172.21.0.1").value();
  scene.settle();
  CHECK(scene.condition(kServicesReachable).reason == "ServicesInCloud");
  CHECK(scene.condition(kGatewaysReady).status == "True");
  scene.connections = parse_connections(test::kConnections, "172.21.0.0/20");
  scene.settle();
  CHECK(scene.condition(kServicesReachable).status == "True");
  CHECK(scene.gateways.at("site").spec.exempt_cidrs == std::vector{Cidr::parse("172.21.0.0/20").value()});
}

TEST_CASE("What works goes on working, whatever becomes of the pool's description", "[egw controller]") {
  Running scene;
  const auto change = [&](const char* key, const std::string& value) {
    scene.pools.at("site").annotations[key] = value;
  };
  SECTION("an annotation is lost") {
    scene.pools.at("site").annotations.erase(kCcnRegionAnnotation);
    scene.expect_all_stays(kAnnotationsUsable, "AnnotationMissing");
  }
  SECTION("the ranges are changed") {
    change(kPodCidrsAnnotation, "10.9.0.0/16");
    scene.expect_all_stays(kAnnotationsUsable, "AnnotationChanged");
    SECTION("and this is meant") {
      scene.gateways.at("site").annotations.erase(kPodCidrsAnnotation);
      scene.settle();
      CHECK(scene.gateways.at("site").spec.pod_cidrs == std::vector{Cidr::parse("10.9.0.0/16").value()});
      CHECK(scene.condition(kAnnotationsUsable).status == "True");
    }
  }
  SECTION("the ranges are made nonsense") {
    change(kPodCidrsAnnotation, "nonsense");
    scene.expect_all_stays(kAnnotationsUsable, "AnnotationChanged");
  }
  SECTION("it is made the default pool") {
    change(kIsDefaultAnnotation, "true");
    scene.expect_all_stays(kAnnotationsUsable, "AnnotationContradictory");
  }
  SECTION("one amd64 node only") {
    scene.nodes.erase("box-2");
    scene.expect_all_stays(kNodesSuffice, "TooFewNodes");
    CHECK(scene.condition(kNodesInPlace).reason == "NodeMoved");
  }
  SECTION("a node moves to another pool by its label") {
    scene.nodes.at("box-1").pool = "other";
    scene.expect_all_stays(kNodesInPlace, "NodeMoved");
  }
  SECTION("more nodes than the pool may have") {
    change(kMaxNodesAnnotation, "20");
    for (int i = 0; i < 30; ++i) scene.put_node("more-" + std::to_string(i), "site", "arm64");
    scene.expect_all_stays(kNodesSuffice, "TooManyNodes");
  }
  SECTION("the configuration is lost") {
    scene.connections = std::vector<Connection>{};
    scene.expect_all_stays(kConnectionKnown, "ConnectionUnknown");
  }
  SECTION("the VPC grows over the pool") {
    scene.connections->front().gateway.vpc_cidrs = {Cidr::parse("10.0.0.0/8").value()};
    scene.expect_all_stays(kRangesDisjoint, "RangesOverlap");
  }
  SECTION("its keys are damaged") {
    scene.secrets.at("site-keys").data["a-1"] = "bm9uZQ==";
    scene.expect_all_stays(kKeysUsable, "KeysDamaged");
  }
}

TEST_CASE("A pool that is gone keeps its gateways for a time, and while a node bears its label",
          "[egw controller]") {
  Running scene;
  const bool deleted = GENERATE(true, false);
  if (deleted) {
    scene.pools.erase("site");
    scene.expect_all_stays(kEnhanced, "PoolGone");
    scene.memory.gone_for = 100h;
    CHECK(scene.settle().empty());
    for (const char* node : {"box-1", "box-2", "arm-1"}) scene.put_node(node, "");
  } else {
    for (const char* key : kEnhancedAnnotations) scene.pools.at("site").annotations.erase(key);
  }
  scene.memory.gone_for = 0s;
  scene.expect_all_stays(kEnhanced, deleted ? "PoolGone" : "NotEnhanced");
  CHECK(scene.plan().gone);
  CHECK(scene.plan().again_in == 1h);

  scene.memory.gone_for = 1h;
  CHECK(scene.settle() == Names{"remove EdgeGateway site"});
  CHECK(scene.plan().again_in == kHelpersTime);
  scene.memory.gateway_absent_for = kHelpersTime;
  CHECK(scene.settle() == Names{"remove DaemonSet site-helper", "remove Deployment site-a",
                                "remove Deployment site-b", "remove PodDisruptionBudget site",
                                "remove Secret site-keys", "remove Secret site-liveness"});
  CHECK(scene.objects().empty());
  CHECK_FALSE(scene.plan().gone);
}

TEST_CASE("An EdgeGateway that somebody removed is made again, with what was", "[egw controller]") {
  Running scene;
  scene.gateways.clear();
  scene.written.erase({Kind::kEdgeGateway, "site"});
  CHECK(scene.settle().front() == "apply EdgeGateway site");
  CHECK(scene.gateways.at("site").spec.gateways.size() == 2);
  CHECK(scene.objects() == kAll);
}

TEST_CASE("An EdgeGateway that is removed while its pool is not sound is never made empty",
          "[egw controller]") {
  const bool remembered = GENERATE(true, false);
  Running scene;
  SECTION("the configuration is lost") { scene.connections = std::vector<Connection>{}; }
  SECTION("the configuration cannot be read") { scene.connections = parse_connections("- {"); }
  SECTION("the pool is made the default one") {
    scene.pools.at("site").annotations[kIsDefaultAnnotation] = "true";
  }
  scene.settle();
  const EdgeGateway before = scene.gateways.at("site").spec;
  REQUIRE(before.vpc_cidrs.size() == 1);
  if (remembered) scene.memory.spec = before;
  scene.gateways.clear();
  scene.written.erase({Kind::kEdgeGateway, "site"});
  scene.settle();
  CHECK(scene.gateways.contains("site") == remembered);
  if (!remembered) return;
  CHECK(scene.gateways.at("site").spec.vpc_cidrs == before.vpc_cidrs);
  CHECK(scene.gateways.at("site").spec.pod_cidrs == before.pod_cidrs);
  CHECK(scene.gateways.at("site").spec.access_points == before.access_points);
  CHECK(scene.gateways.at("site").spec.gateways == before.gateways);
}

TEST_CASE("A new access point reaches a pool of which one node has an address of the VPC",
          "[egw controller]") {
  Running scene;
  scene.nodes.at("arm-1").addresses = {IpAddress::parse("172.16.9.9").value()};
  scene.settle();
  CHECK(scene.condition(kRangesDisjoint).status == "False");
  scene.connections = parse_connections(std::string(test::kConnections) +
                                        "    - {name: two, address: 203.0.113.10, port: 51820, publicKey: "
                                        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=}\n");
  REQUIRE(scene.connections.has_value());
  scene.settle();
  CHECK(scene.gateways.at("site").spec.access_points.size() == 2);
  CHECK(scene.condition(kRangesDisjoint).status == "False");
}

TEST_CASE("Objects of others are never touched", "[egw controller]") {
  const OwnedObject foreign{.id = {.name = "x", .uid = "theirs"}};
  PlanScene scene;
  SECTION("an EdgeGateway") {
    scene.gateways["site"].id = {.name = "site", .uid = "theirs"};
    CHECK(scene.settle().empty());
    CHECK(scene.plan().news.back().reason == std::string("NotStarted"));
  }
  SECTION("a Secret") {
    scene.secrets["site-keys"].id = {.name = "site-keys", .uid = "theirs"};
    scene.settle();
    CHECK_FALSE(scene.deployments.contains("site-a"));
    CHECK(scene.condition(kObjectsOwned).reason == "ForeignObject");
  }
  SECTION("a Deployment") {
    scene.deployments["site-a"].id = {.name = "site-a", .uid = "theirs"};
    scene.settle();
    CHECK(scene.deployments.at("site-a").id.uid == "theirs");
    CHECK(scene.condition(kObjectsOwned).reason == "ForeignObject");
  }
  SECTION("one of another pool of ours") {
    scene.helpers["site-helper"] = foreign;
    scene.helpers["site-helper"].pool = "other";
    scene.settle();
    CHECK(scene.helpers.at("site-helper").id.uid == "theirs");
  }
}

TEST_CASE("What others change of our objects is put back, one gateway after the other", "[egw controller]") {
  Running scene;
  scene.deployments.at("site-a").generation += 1;
  CHECK(scene.settle() == Names{"apply Deployment site-a"});
  scene.budgets.clear();
  CHECK(scene.settle() == Names{"apply PodDisruptionBudget site"});
}

bool changes_cores(const Names& done) {
  return std::ranges::any_of(done,
                             [](const std::string& one) { return one.starts_with("apply Deployment"); });
}

TEST_CASE("A site that the cloud does not hear keeps both gateways as they are", "[egw controller]") {
  Running scene;
  for (const char* node : {"box-1", "box-2"}) scene.nodes.at(node).heard = false;
  for (const char* gateway : {"a", "b"}) scene.stop(gateway);
  scene.options.objects.image = "holdfast:2";
  scene.memory = {};  // also by a controller that has just begun
  CHECK_FALSE(changes_cores(scene.settle()));
  for (const char* node : {"box-1", "box-2"}) scene.nodes.at(node).heard = true;
  scene.run("a", "box-1", "10.244.1.7");
  scene.run("b", "box-2", "10.244.2.7");
  CHECK(changes_cores(scene.settle()));
  CHECK_FALSE(scene.deployments.at("site-b").available);
  CHECK(scene.deployments.at("site-a").available);
}

TEST_CASE("One gateway's node that is not heard keeps the other from no new template", "[egw controller]") {
  Running scene;
  scene.nodes.at("box-2").heard = false;
  scene.stop("b");
  scene.options.objects.image = "holdfast:2";
  const Names done = scene.settle();
  CHECK(std::ranges::count(done, "apply Deployment site-b") == 1);
  CHECK(std::ranges::count(done, "apply Deployment site-a") == 0);
}

TEST_CASE("Of two gateways that do not work one is changed at a time", "[egw controller]") {
  Running scene;
  for (const char* gateway : {"a", "b"}) scene.stop(gateway);
  scene.options.objects.image = "holdfast:2";
  const std::vector<Step> steps = scene.plan().steps;
  CHECK(std::ranges::count(steps, Kind::kDeployment, &Step::kind) == 1);
  const Names done = scene.settle();
  CHECK(std::ranges::count(done, "apply Deployment site-a") == 1);
  CHECK(std::ranges::count(done, "apply Deployment site-b") == 1);
}

/// Whether a pod may be put onto a node with this taint.
bool tolerates(const json& pod, const std::string& key, const char* effect) {
  return std::ranges::any_of(pod["tolerations"], [&](const json& one) {
    return one.value("key", key) == key && one.value("effect", effect) == effect;
  });
}

TEST_CASE("A gateway leaves a node that is emptied, and stays on one that is not heard", "[egw controller]") {
  Running scene;
  scene.pools.at("site").taints = {"example.com/site", "node.kubernetes.io/unschedulable"};
  scene.settle();
  const json core = scene.written.at({Kind::kDeployment, "site-b"})["spec"]["template"]["spec"];
  CHECK_FALSE(tolerates(core, "node.kubernetes.io/unschedulable", "NoSchedule"));
  CHECK_FALSE(tolerates(core, "example.com/maintenance", "NoExecute"));
  CHECK(tolerates(core, "node.kubernetes.io/unreachable", "NoExecute"));
  CHECK(tolerates(core, "node.kubernetes.io/not-ready", "NoExecute"));
  CHECK(tolerates(core, "example.com/site", "NoSchedule"));
  const json helper = scene.written.at({Kind::kDaemonSet, "site-helper"})["spec"]["template"]["spec"];
  CHECK(tolerates(helper, "node.kubernetes.io/unschedulable", "NoSchedule"));
}

TEST_CASE("A gateway counts for a drain of the other's node when nodes have had the time to hear it",
          "[egw controller]") {
  Running scene;
  const json budget = scene.written.at({Kind::kBudget, "site"})["spec"];
  CHECK(budget["minAvailable"] == 1);
  for (const char* name : {"site-a", "site-b"}) {
    CAPTURE(name);
    const json spec = scene.written.at({Kind::kDeployment, name})["spec"];
    const json labels = spec["template"]["metadata"]["labels"];
    for (const auto& [label, value] : budget["selector"]["matchLabels"].items())
      CHECK(labels[label] == value);
    // a budget counts pods that are ready, for however short a time
    CHECK(spec["template"]["spec"]["containers"][0]["readinessProbe"]["initialDelaySeconds"] == 15);
    CHECK(spec["minReadySeconds"] == 5);
  }
}

TEST_CASE("All containers are started without a registry, ask for what they need, and tell how they fare",
          "[egw controller]") {
  Running scene;
  for (const auto& [key, object] : scene.written) {
    if (key.first != Kind::kDeployment && key.first != Kind::kDaemonSet) continue;
    const json pod = object["spec"]["template"]["spec"];
    json containers = pod["containers"];
    for (const json& each : containers) {
      CHECK(each.contains("livenessProbe"));
      CHECK(each.contains("readinessProbe"));
    }
    for (const json& each : pod.value("initContainers", json::array())) containers.push_back(each);
    for (const json& each : containers) {
      INFO(key.second << " " << each["name"]);
      CHECK(each["imagePullPolicy"] == "IfNotPresent");
      CHECK(each["resources"]["requests"].contains("memory"));
    }
  }
}

TEST_CASE("A new template goes to the standby first, to the active one when that works, then to the helpers",
          "[egw controller]") {
  Running scene;
  scene.options.objects.image = "holdfast:2";
  CHECK(scene.settle() == Names{"apply Deployment site-b"});
  CHECK_FALSE(scene.deployments.at("site-b").available);
  SECTION("the new one works") {
    scene.run("b", "box-2", "10.244.2.8");
    const Names done = scene.settle();
    CHECK(done.front() == "apply Deployment site-a");
    CHECK(std::ranges::count(done, "apply Deployment site-b") == 0);
    CHECK(std::ranges::count(done, "apply DaemonSet site-helper") == 0);
    scene.run("a", "box-1", "10.244.1.9");
    const Names last = scene.settle();
    CHECK(std::ranges::count(last, "apply DaemonSet site-helper") == 1);
  }
  SECTION("the new one never works: the active one is left alone, also for another template") {
    scene.stop("b");
    scene.settle();
    scene.options.objects.image = "holdfast:3";
    const Names done = scene.settle();
    CHECK(std::ranges::count(done, "apply Deployment site-b") == 1);
    CHECK(std::ranges::count(done, "apply Deployment site-a") == 0);
  }
  SECTION("b is the active one") {
    Running other;
    other.stop("a");
    other.settle();
    other.deployments.at("site-a").available = true;
    other.options.objects.image = "holdfast:2";
    CHECK(other.settle().front() == "apply Deployment site-a");
  }
}

TEST_CASE("Keys change without an end that uses what the other does not know", "[egw controller]") {
  Running scene;
  const auto published = [&](std::size_t gateway) {
    return scene.gateways.at("site").spec.gateways.at(gateway).public_keys;
  };
  const auto key_of = [&](const char* name) { return scene.secrets.at("site-keys").data.at(name); };
  const auto item_of = [&](const char* deployment) -> std::string {
    return scene.written.at(
        {Kind::kDeployment,
         deployment})["spec"]["template"]["spec"]["volumes"][0]["secret"]["items"][0]["key"];
  };
  const std::string first = key_of("a-1");
  REQUIRE(published(0).size() == 1);
  const std::string first_public = published(0)[0];
  CHECK(public_key_of(decode_base64(first).value()).value() == first_public);

  scene.gateways.at("site").annotations[kRotateAnnotation] = "spring";
  scene.settle();
  CHECK(key_of("a-1") == first);
  CHECK(key_of("a-2") != first);
  CHECK(published(0).size() == 2);
  CHECK(published(0)[0] == first_public);
  CHECK(item_of("site-a") == "a-1");
  CHECK(scene.settle().empty());

  scene.gateways.at("site").annotations[kAcceptedAnnotation] = "2";
  scene.settle();
  CHECK(item_of("site-b") == "b-2");
  CHECK(item_of("site-a") == "a-1");
  CHECK(published(1).size() == 2);
  scene.run("b", "box-2", "10.244.2.8");
  scene.settle();
  CHECK(item_of("site-a") == "a-2");
  CHECK(scene.secrets.at("site-keys").data.contains("a-1"));
  scene.run("a", "box-1", "10.244.1.8");
  scene.settle();
  CHECK_FALSE(scene.secrets.at("site-keys").data.contains("a-1"));
  CHECK(published(0).size() == 1);
  CHECK(published(0)[0] != first_public);
  CHECK(item_of("site-a") == "a-2");
  CHECK(scene.settle().empty());
}

/// Deployments and the Secret with keys are as they are to be with keys `number` alone.
bool runs_with(PlanScene& scene, const std::string& number) {
  const auto item = [&](const char* deployment) {
    return scene.written.at(
        {Kind::kDeployment,
         deployment})["spec"]["template"]["spec"]["volumes"][0]["secret"]["items"][0]["key"];
  };
  return item("site-a") == "a-" + number && item("site-b") == "b-" + number &&
         scene.secrets.at("site-keys").data.size() == 2;
}

/// All access points say that they take what is published.
void take_published_keys(PlanScene& scene) {
  SeenGateway& seen = scene.gateways.at("site");
  for (const Gateway& gateway : seen.spec.gateways) {
    seen.taken_keys["one"].insert(gateway.public_keys.begin(), gateway.public_keys.end());
  }
}

TEST_CASE("Keys that grow old are exchanged with nobody's help, as access points take them",
          "[egw controller]") {
  Running scene;
  take_published_keys(scene);
  CHECK(scene.plan().again_in == kKeyLifetime);
  scene.now = "2026-03-31T23:59:59Z";
  CHECK(scene.settle().empty());
  CHECK(scene.plan().again_in == 1s);
  scene.now = "2026-04-01T00:00:00Z";
  CHECK(scene.settle() ==
        Names{"replace Secret site-keys", "apply EdgeGateway site", "status EdgeGateway site"});
  CHECK(scene.gateways.at("site").spec.gateways.at(0).public_keys.size() == 2);
  CHECK(scene.plan().again_in == kOfferTime);
  SECTION("all take them") {
    take_published_keys(scene);
    scene.settle();
    scene.run("b", "box-2", "10.244.2.8");
    scene.settle();
    CHECK_FALSE(runs_with(scene, "2"));
    SECTION("one that comes later holds nothing up") {
      scene.connections->front().gateway.access_points.push_back(
          scene.connections->front().gateway.access_points.front());
      scene.connections->front().gateway.access_points.back().name = "two";
      scene.settle();
    }
    scene.run("a", "box-1", "10.244.1.8");
    scene.settle();
    CHECK(runs_with(scene, "2"));
    CHECK(scene.plan().again_in == kKeyLifetime);
  }
  SECTION("none does, and that is told after a while") {
    scene.now = "2026-04-01T00:10:00Z";
    scene.settle();
    CHECK(scene.condition(kKeysCurrent).reason == "OfferWaits");
    CHECK_THAT(scene.condition(kKeysCurrent).message, Catch::Contains("(one)"));
    CHECK(runs_with(scene, "1") == false);  // both live
    CHECK(scene.settle().empty());
    scene.gateways.at("site").annotations[kAcceptedAnnotation] = "2";
    scene.settle();
    CHECK(scene.condition(kKeysCurrent).status == "True");
  }
  SECTION("unless it is not wanted") {
    Running other;
    other.options.key_lifetime = 0s;
    other.now = "2036-01-01T00:00:00Z";
    CHECK(other.settle().empty());
    CHECK_FALSE(other.plan().again_in.has_value());
  }
}

TEST_CASE("Keys of a version before count their age from now on", "[egw controller]") {
  Running scene;
  scene.secrets.at("site-keys").annotations.erase(kChangedAnnotation);
  scene.now = "2036-01-01T00:00:00Z";
  CHECK(scene.settle() == Names{"replace Secret site-keys"});
  CHECK(scene.plan().again_in == kKeyLifetime);
  CHECK(runs_with(scene, "1"));
}

TEST_CASE("Keys of liveness overlap: accepted, then sent, then alone", "[egw controller]") {
  Running scene;
  scene.options.key_lifetime = 0s;
  const auto ask = [&](const char* word) {
    scene.gateways.at("site").annotations[kRotateAnnotation] = word;
    scene.secrets.at("site-keys").annotations[kRotatedAnnotation] = word;  // those of tunnels apart
  };
  const auto held = [&] {
    return bfd::parse_key_file(decode_base64(scene.secrets.at("site-liveness").data.at("keys")).value())
        .value();
  };
  const bfd::Key first = held().send;
  CHECK(first.id == 1);
  CHECK(held().also_accepted.empty());

  ask("spring");
  const Names done = scene.settle();
  CHECK(std::ranges::count(done, "replace Secret site-liveness") == 1);
  REQUIRE(held().also_accepted.size() == 1);
  const bfd::Key second = held().also_accepted.front();
  CHECK(held().send == first);
  CHECK(second.id == 2);
  CHECK(second.secret != first.secret);
  CHECK(scene.plan().again_in == std::chrono::hours(24));

  scene.now = "2026-01-01T23:59:59Z";
  CHECK(scene.settle().empty());
  CHECK(scene.plan().again_in == std::chrono::seconds(1));
  scene.now = "2026-01-02T00:00:00Z";
  CHECK(scene.settle() == Names{"replace Secret site-liveness"});
  CHECK(held() == bfd::Keys{second, {first}});
  ask("summer");  // waits for the end of this one
  scene.now = "2026-01-03T00:00:00Z";
  CHECK(scene.step());
  CHECK(held() == bfd::Keys{second, {}});
  scene.settle();
  CHECK(held().send == second);
  CHECK(held().also_accepted.front().id == 3);
}

TEST_CASE("A Secret of liveness that holds no keys is told and left as it is", "[egw controller]") {
  Running scene;
  const auto was = scene.secrets.at("site-liveness").data["keys"] = encode_base64("1 \n");
  scene.gateways.at("site").annotations[kRotateAnnotation] = "spring";
  scene.settle();
  CHECK(scene.secrets.at("site-liveness").data["keys"] == was);
  CHECK(scene.condition(kKeysUsable).reason == "KeysDamaged");
}

TEST_CASE("Keys that are lost are made anew under another number, and this is told", "[egw controller]") {
  Running scene;
  scene.secrets.erase("site-keys");
  const std::vector<PoolFinding> told = scene.plan().news;
  CHECK(std::ranges::any_of(told,
                            [](const PoolFinding& one) { return one.reason == std::string("KeysLost"); }));
  scene.settle();
  CHECK(scene.secrets.at("site-keys").data.contains("a-2"));
}

TEST_CASE("Keys that are lost stay published until both gateways run with others", "[egw controller]") {
  Running scene;
  const auto published = [&] { return scene.gateways.at("site").spec.gateways.at(0).public_keys; };
  const std::string old = published().at(0);
  SECTION("of a site whose nodes the cloud does not hear, as long as it does not") {
    for (const char* node : {"box-1", "box-2"}) scene.nodes.at(node).heard = false;
    for (const char* gateway : {"a", "b"}) scene.stop(gateway);
    scene.settle();
    scene.secrets.erase("site-keys");
    scene.settle();
    CHECK(published().size() == 2);
    CHECK(published().at(0) == old);
  }
  SECTION("of one that is heard, until the second has changed over") {
    scene.secrets.erase("site-keys");
    scene.settle();
    scene.run("b", "box-2", "10.244.2.8");
    scene.settle();
    CHECK(published().size() == 2);
    CHECK(published().at(0) == old);
    scene.run("a", "box-1", "10.244.1.8");
    scene.settle();
    CHECK(published().size() == 1);
    CHECK(published().at(0) != old);
  }
}

TEST_CASE("A gateway's pod is in the EdgeGateway before it is ready, and a ready one goes first",
          "[egw controller]") {
  PlanScene scene;
  scene.settle();
  scene.run("a", "box-1", "10.244.1.7");
  scene.pods.at("site-a").ready = false;
  scene.deployments.at("site-a").available = false;
  scene.settle();
  const auto& gateways = scene.gateways.at("site").spec.gateways;
  REQUIRE(gateways.size() == 1);
  CHECK(gateways[0].node == "box-1");
  CHECK(gateways[0].tunnel == 0);
  CHECK(gateways[0].public_keys.size() == 1);
  CHECK(scene.gateways.at("site").status.active.empty());
  CorePod& other = scene.pods["site-a-0"] = scene.pods.at("site-a");
  other.ready = true;
  other.node = "box-2";
  scene.settle();
  CHECK(gateways[0].node == "box-2");
}

TEST_CASE("No two pools have a tunnel or an address inside tunnels in common", "[egw controller]") {
  PlanScene scene;
  scene.put_pool("late", enhanced("10.9.0.0/16"));
  scene.put_node("late-1", "late");
  scene.put_node("late-2", "late");
  const PoolTunnels first = scene.plan().tunnels.value();
  CHECK(first.first == 0);
  CHECK(first.addresses.at("b") == std::vector{IpAddress::parse("198.19.0.2").value()});
  SECTION("given, and not written") { scene.given["site"] = first; }
  SECTION("written") { scene.settle(); }
  SECTION("of an EdgeGateway that somebody removed") {
    scene.settle();
    scene.gateways.clear();
    scene.written.erase({Kind::kEdgeGateway, "site"});
    CHECK(scene.plan().tunnels == first);
  }
  SECTION("of an EdgeGateway that somebody else wrote") {
    Gateway hand{.name = "a", .node = "x", .tunnel = std::uint16_t{1}};
    hand.tunnel_addresses = first.addresses.at("a");
    hand.tunnel_addresses.push_back(first.addresses.at("b").front());
    scene.gateways["hand"].spec.gateways = {hand};
  }
  const PoolTunnels second = scene.plan("late").tunnels.value();
  CHECK(second.first == 2);
  CHECK(second.addresses.at("a") == std::vector{IpAddress::parse("198.19.0.3").value()});
}

TEST_CASE("Tunnels stay what they were, whatever range is told", "[egw controller]") {
  Running scene;
  const PoolTunnels first = scene.plan().tunnels.value();
  scene.options.tunnel_ranges = {Cidr::parse("192.0.2.0/24").value()};
  CHECK(scene.settle().empty());
  CHECK(scene.plan().tunnels == first);
}

TEST_CASE("A pool for which there is no tunnel or no address gets no gateways, and is told",
          "[egw controller]") {
  PlanScene scene;
  SECTION("addresses") { scene.options.tunnel_ranges = {Cidr::parse("198.19.0.0/31").value()}; }
  SECTION("tunnels") {
    for (std::uint16_t first = 0; first < kHighestTunnel; first += 2)
      scene.given[std::to_string(first)] = {.first = first};
  }
  scene.settle();
  CHECK(scene.objects() == Names{"EdgeGateway site"});
  CHECK(scene.condition(kTunnelsGiven).reason == "TunnelsExhausted");
}

TEST_CASE("The pool's nodes are in the EdgeGateway, with their pods' ranges", "[egw controller]") {
  PlanScene scene;
  scene.nodes.at("box-1").addresses = {IpAddress::parse("192.168.77.1").value()};
  scene.nodes.at("box-1").pod_cidrs = {Cidr::parse("10.244.1.0/24").value()};
  scene.settle();
  const auto& nodes = scene.gateways.at("site").spec.nodes;
  REQUIRE(nodes.size() == 3);
  CHECK(nodes[1].name == "box-1");
  CHECK(nodes[1].addresses == scene.nodes.at("box-1").addresses);
  CHECK(nodes[1].pod_cidrs == scene.nodes.at("box-1").pod_cidrs);
}

TEST_CASE("Of a pool with more nodes than gateways serve those stay that came first, and it is told",
          "[egw controller]") {
  PlanScene scene;
  for (std::size_t i = scene.nodes.size(); i < kMostNodes + 1; ++i)
    scene.put_node("c-" + std::to_string(i), "site", "arm64");
  scene.put_node("z-last", "site", "arm64");
  scene.nodes.erase("c-1000");
  scene.settle();
  const auto listed = [&](const std::string& name) {
    const auto& nodes = scene.gateways.at("site").spec.nodes;
    return std::ranges::find(nodes, name, &PoolMember::name) != nodes.end();
  };
  REQUIRE(listed("z-last"));
  scene.put_node("a-first", "site", "arm64");
  scene.settle();
  CHECK(scene.gateways.at("site").spec.nodes.size() == kMostNodes);
  CHECK(listed("z-last"));
  CHECK_FALSE(listed("a-first"));
  CHECK(scene.condition(kNodesSuffice).reason == "TooManyNodes");
  scene.nodes.erase("c-1001");
  scene.settle();
  CHECK(listed("a-first"));
}

TEST_CASE("A basic pool gets nothing", "[egw controller]") {
  PlanScene scene;
  scene.put_pool("site", {{kMaxNodesAnnotation, "20"}, {kPodCidrsAnnotation, "10.244.0.0/16"}});
  CHECK(scene.settle().empty());
  CHECK(scene.plan().news.empty());
}

}  // namespace
}  // namespace holdfast::gateway
