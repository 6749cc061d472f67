#include "egw-gateway/controller/pool_controller.h"

#include <algorithm>
#include <set>
#include <utility>

#include "common/base/version.h"
#include "egw-gateway/controller/controller_program.h"
#include "egw-gateway/controller/pool_names.h"
#include "test/catch.h"
#include "test/egw-gateway/controller/controller_scene.h"
#include "test/fakes/wanted_metrics.h"
#include "test/kube_server/role_rules.h"

namespace holdfast::gateway {
namespace {

using namespace std::chrono_literals;
using holdfast::test::FaultKind;
using nlohmann::json;
using test::ControllerScene;
using test::kApps;
using test::kEdgeGateways;
using test::kOwn;

const std::string kKeys = std::string(kOwn) + "secrets/site-keys";

TEST_CASE("A pool of either version of NodePool gets its gateways", "[egw controller]") {
  const std::string version = GENERATE("v1beta1", "v1alpha1");
  ControllerScene scene(version);
  scene.start();
  scene.turn_until_settled();
  const json gateway = scene.at(std::string(kEdgeGateways) + "site");
  CHECK(gateway["spec"]["gateways"][0]["node"] == "box-1");
  CHECK(gateway["spec"]["vpcCIDRs"] == json::array({"172.16.0.0/12"}));
  CHECK(gateway["status"]["active"] == "a");
  CHECK(gateway["metadata"]["managedFields"][0]["manager"] == kController);
}

TEST_CASE("A cluster that does not change is not written to", "[egw controller]") {
  ControllerScene scene;
  scene.start();
  scene.turn_until_settled();
  scene.turn_for(100ms);
  scene.server.forget_requests();
  scene.put_pool("site", "10.244.0.0/16");  // events that say nothing new
  scene.server.put("/api/v1/nodes/box-1", {{"metadata", {{"annotations", {{"heartbeat", "1"}}}}}});
  scene.turn_for(200ms);
  CHECK(scene.count_writes() == 0);
  CHECK(holdfast::test::metrics_not_in(scene.metrics.render(), "holdfast_egw_").empty());
}

TEST_CASE("A controller that dies between any two writes is followed by one that ends what it began",
          "[egw controller]") {
  std::string keys;
  for (std::size_t writes = 1; writes <= 12; ++writes) {
    DYNAMIC_SECTION("after " << writes << " writes") {
      ControllerScene scene;
      scene.start("one");
      scene.turn_until([&] {
        scene.run_pods();
        return scene.count_writes() >= writes || scene.is_settled();
      });
      scene.die();
      keys = scene.at(kKeys).is_null() ? "" : scene.at(kKeys)["data"].dump();
      scene.start("one");  // by the name of the dead one, whose lease it so need not wait for
      scene.turn_until([&] { return scene.controller->leads() && scene.is_settled(); });
      if (!keys.empty()) CHECK(scene.at(kKeys)["data"].dump() == keys);
      CHECK(scene.at(kKeys)["data"].size() == 2);
    }
  }
}

TEST_CASE("A write whose answer is lost, or that never arrives, is done in the end, and keys are made once",
          "[egw controller]") {
  struct Case {
    FaultKind kind;
    const char* verb;
    const char* plural;
  };
  const auto [kind, verb, plural] = GENERATE(
      Case{FaultKind::kDrop, "patch", "edgegateways"}, Case{FaultKind::kDropAfter, "patch", "edgegateways"},
      Case{FaultKind::kDrop, "create", "secrets"}, Case{FaultKind::kDropAfter, "create", "secrets"},
      Case{FaultKind::kSilence, "create", "secrets"},
      Case{FaultKind::kStatus, "patch", "poddisruptionbudgets"},
      Case{FaultKind::kDropAfter, "patch", "deployments"}, Case{FaultKind::kStatus, "patch", "daemonsets"});
  CAPTURE(static_cast<int>(kind), verb, plural);
  ControllerScene scene;
  scene.options.write = 2s;  // what is answered at all is answered sooner, also on a busy machine
  scene.server.fault({.kind = kind, .verb = verb, .plural = plural, .times = 2, .status = 503});
  scene.start();
  scene.turn_until_settled();
  CHECK(scene.at(kKeys)["data"].size() == 2);
}

TEST_CASE("While the API server is gone nothing is lost, and after it all goes on", "[egw controller]") {
  ControllerScene scene;
  scene.start();
  scene.turn_until([&] { return !scene.at(kKeys).is_null(); });
  const std::string keys = scene.at(kKeys)["data"].dump();
  scene.server.fault({.kind = FaultKind::kDrop, .times = -1});
  scene.turn_for(300ms);
  scene.server.clear_faults();
  scene.turn_until_settled();
  CHECK(scene.at(kKeys)["data"].dump() == keys);
}

TEST_CASE("A cache that has lost its content removes nothing", "[egw controller]") {
  ControllerScene scene;
  scene.options.plan.removal_grace = 0s;
  scene.start();
  scene.turn_until_settled();
  scene.die();
  scene.server.forget_requests();
  const auto [kind, plural] = GENERATE(table<FaultKind, const char*>(
      {{FaultKind::kStaleEmpty, "nodepools"}, {FaultKind::kStaleMissing, "nodes"}}));
  scene.server.fault({.kind = kind, .verb = "list", .plural = plural, .times = -1});
  scene.start();
  scene.turn_until([&] { return scene.controller->leads() && scene.count_requests("watch pods") != 0; });
  scene.turn_for(300ms);
  CHECK_FALSE(scene.controller->ready());
  CHECK(scene.count_requests("delete") == 0);
  CHECK_FALSE(scene.at(std::string(kApps) + "deployments/site-a").is_null());
}

TEST_CASE("An object of somebody else is not taken over, also one that comes in between",
          "[egw controller]") {
  ControllerScene scene;
  const bool before = GENERATE(true, false);
  CAPTURE(before);
  const std::string path = std::string(kApps) + "deployments/site-b";
  const auto put_theirs = [&] { scene.server.put(path, {{"spec", {{"replicas", 7}}}}); };
  if (before) put_theirs();
  scene.start();
  if (!before) {
    scene.turn_until(
        [&] { return scene.count_requests("get deployments/site-b") != 0 || scene.count_writes() >= 4; });
    if (scene.at(path).is_null()) put_theirs();
  }
  scene.turn_until([&] {
    return scene.reason(kObjectsOwned) == "ForeignObject" ||
           !scene.at(path)["metadata"].value("labels", json()).is_null();
  });
  if (before) {
    CHECK(scene.at(path)["spec"] == json{{"replicas", 7}});
    CHECK(scene.reason(kObjectsOwned) == "ForeignObject");
    scene.server.remove(path);
    scene.turn_until_settled();
  }
}

TEST_CASE("What is wrong is told as an Event of the NodePool, once", "[egw controller]") {
  ControllerScene scene;
  scene.server.remove("/api/v1/nodes/box-2");
  scene.start();
  scene.turn_until([&] {
    return scene.reason(kNodesSuffice) == "TooFewNodes" && scene.count_requests("create events") >= 2;
  });
  scene.turn_for(100ms);
  std::size_t told = 0;
  for (const auto& event : scene.server.store().list("/events", "default")) {
    if ((*event)["reason"] != "TooFewNodes") continue;
    ++told;
    CHECK((*event)["involvedObject"]["kind"] == "NodePool");
    CHECK((*event)["type"] == "Warning");
  }
  CHECK(told == 1);
  CHECK(scene.at(kKeys).is_null());
  scene.put_node("box-2", "site");
  scene.turn_until_settled();
  CHECK(scene.reason(kNodesSuffice) == "AsWanted");
}

TEST_CASE("An EdgeGateway that somebody makes unreadable is told, and put right", "[egw controller]") {
  ControllerScene scene;
  scene.start();
  scene.turn_until_settled();
  const std::string path = std::string(kEdgeGateways) + "site";
  const auto events = [&] {
    return std::ranges::count_if(scene.server.store().list("/events", "default"),
                                 [](const auto& event) { return (*event)["reason"] == "SpecUnreadable"; });
  };
  scene.server.put(path, {{"spec", {{"vpcCIDRs", {"172.16.0/12"}}}}});
  scene.turn_until(
      [&] { return scene.at(path)["spec"]["vpcCIDRs"] == json::array({"172.16.0.0/12"}) && events() == 1; });
  scene.turn_until_settled();
  SECTION("what is not its own it leaves, and says so") {
    scene.server.put(path, {{"spec", {{"exemptCIDRs", {"nonsense"}}}}});
    scene.turn_until([&] { return scene.reason(kObjectUsable) == "SpecUnreadable"; });
    scene.turn_for(100ms);
    scene.server.forget_requests();
    scene.turn_for(200ms);
    CHECK(scene.count_writes() == 0);
    CHECK(scene.at(path)["spec"]["exemptCIDRs"] == json::array({"nonsense"}));
  }
}

TEST_CASE("The gateways of a pool that is gone are removed after the grace, and not before",
          "[egw controller]") {
  ControllerScene scene;
  scene.options.plan.removal_grace = 1h;
  scene.start();
  scene.turn_until_settled();
  scene.server.remove(scene.pool_path("site"));
  scene.turn_until([&] { return scene.reason(kEnhanced) == "PoolGone"; });
  for (const char* node : {"box-1", "box-2"}) scene.server.remove(std::string("/api/v1/nodes/") + node);
  scene.turn_for(200ms);
  CHECK(scene.count_requests("delete") == 0);
  scene.options.plan.removal_grace = 0s;
  scene.start();
  scene.turn_until([&] { return scene.at(std::string(kEdgeGateways) + "site").is_null(); });
  scene.turn_for(100ms);
  CHECK_FALSE(scene.at(std::string(kApps) + "daemonsets/site-helper").is_null());  // it takes routes away now
}

TEST_CASE("One of two controllers acts, and the other takes over", "[egw controller]") {
  ControllerScene scene;
  scene.start("one");
  scene.turn_until_settled();
  bool stopped = false;
  scene.controller->stop([&] { stopped = true; });
  scene.turn_until([&] { return stopped; });
  CHECK_FALSE(scene.controller->leads());
  scene.server.forget_requests();
  scene.server.remove(std::string(kApps) + "daemonsets/site-helper");
  scene.turn_for(100ms);
  CHECK(scene.count_writes() == 0);
  scene.start("two");
  scene.turn_until_settled();
}

std::set<std::string> accounts_of_workloads(ControllerScene& scene) {
  std::set<std::string> out;
  for (const char* kind : {"apps/deployments", "apps/daemonsets"}) {
    for (const auto& each : scene.server.store().list(kind, "egw-gateway")) {
      out.insert((*each)["spec"]["template"]["spec"]["serviceAccountName"]);
    }
  }
  return out;
}

TEST_CASE("The roles of our manifests allow all that the controller asks for, and little else",
          "[egw controller]") {
  ControllerScene scene;
  scene.options.plan.removal_grace = 0s;
  scene.start();
  scene.turn_until_settled();
  CHECK(accounts_of_workloads(scene) == std::set<std::string>{"egw-core", "egw-helper"});
  scene.server.put(std::string(kEdgeGateways) + "site",
                   {{"metadata", {{"annotations", {{kRotateAnnotation, "now"}}}}}});
  scene.turn_until([&] { return scene.count_requests("update secrets/site-keys") != 0; });
  scene.turn_until([&] { return scene.count_requests("update secrets/site-liveness") != 0; });
  scene.server.remove(scene.pool_path("site"));
  scene.turn_until([&] { return scene.count_requests("create events") != 0; });
  for (const char* node : {"box-1", "box-2"}) scene.server.remove(std::string("/api/v1/nodes/") + node);
  scene.turn_until([&] { return scene.count_requests("delete edgegateways") != 0; });
  const std::string manifests = HOLDFAST_MANIFESTS "/base/";
  const auto granted = holdfast::test::Roles::in(manifests).bound_to(
      holdfast::test::account_in(manifests + "egw-gateway/controller.yaml"));
  CHECK(holdfast::test::refused(granted, scene.server.asked()) == std::vector<std::string>{});
  // a lost answer is asked for; objects are deleted when a pool has fewer
  const std::vector<std::string> other{"delete daemonsets.apps in egw-gateway",
                                       "delete deployments.apps in egw-gateway",
                                       "delete poddisruptionbudgets.policy in egw-gateway",
                                       "delete secrets in egw-gateway",
                                       "get secrets in egw-gateway",
                                       "patch events"};
  CHECK(std::ranges::includes(other, holdfast::test::unasked(granted, scene.server.asked())));
  for (const char* kind : {"daemonsets.apps", "deployments.apps", "poddisruptionbudgets.policy", "secrets"}) {
    INFO(kind);
    CHECK(holdfast::test::allows(granted, "delete " + std::string(kind) + "/x in egw-gateway"));
    CHECK_FALSE(holdfast::test::allows(granted, "delete " + std::string(kind) + "/x in kube-system"));
  }
  for (const char* refused :
       {"patch nodes/a", "delete nodepools.apps.openyurt.io/a", "patch nodepools.apps.openyurt.io/a",
        "get namespaces/default", "create pods in egw-gateway", "delete pods/a in egw-gateway",
        "update configmaps/a in egw-gateway", "delete leases.coordination.k8s.io/a in egw-gateway"}) {
    INFO(refused);
    CHECK_FALSE(holdfast::test::allows(granted, refused));
  }
}

TEST_CASE("Flags that cannot be meant are refused, with what would do", "[egw controller]") {
  const auto parse = [](std::vector<std::string> arguments) { return parse_controller_options(arguments); };
  CHECK(parse({"--namespace=x", "--image", "registry/holdfast:1", "--removal-grace=60", "--healthz=:11265"})
            ->image == "registry/holdfast:1");
  CHECK(parse({})->image == "holdfast.invalid/holdfast:" + std::string(version()));
  CHECK_FALSE(parse({"--removal-grace=-1"}).has_value());
  CHECK(parse({"--key-overlap=600"})->key_overlap == 600s);
  CHECK_FALSE(parse({"--key-overlap=10"}).has_value());
  CHECK(parse({})->key_lifetime == 90 * 24h);
  CHECK(parse({"--key-lifetime=0"})->key_lifetime == 0s);
  CHECK_FALSE(parse({"--key-lifetime=-1"}).has_value());
  CHECK_FALSE(parse({"--kubeconfig=relative"}).has_value());
  CHECK_FALSE(parse({"--image="}).has_value());
  CHECK(parse({})->image_pull_policy == "IfNotPresent");
  CHECK(parse({"--image-pull-policy=Always"})->image_pull_policy == "Always");
  CHECK_FALSE(parse({"--image-pull-policy=always"}).has_value());
  CHECK_FALSE(parse({"--nonsense"}).has_value());
  CHECK_THAT(controller_help(), Catch::Contains("--removal-grace"));
}

}  // namespace
}  // namespace holdfast::gateway
