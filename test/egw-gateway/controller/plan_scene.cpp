#include "test/egw-gateway/controller/plan_scene.h"

#include <utility>

#include "test/catch.h"

namespace holdfast::gateway::test {
namespace {

using nlohmann::json;

const char* verb_of(Verb verb) {
  switch (verb) {
    case Verb::kApply:
      return "apply";
    case Verb::kApplyStatus:
      return "status";
    case Verb::kCreate:
      return "create";
    case Verb::kReplace:
      return "replace";
    case Verb::kRemove:
      return "remove";
  }
  return "";
}

template <class Object>
Object decoded(const json& object, Result<Object> (*decode)(const JsonObject&)) {
  const Result<Object> out = decode(JsonObject(&object, ""));
  INFO((out ? "" : out.error().message));
  REQUIRE(out.has_value());
  return *out;
}

}  // namespace

Text enhanced(const std::string& pod_cidrs) {
  return {{kMaxNodesAnnotation, "20"},           {kPodCidrsAnnotation, pod_cidrs},
          {kCenIdAnnotation, "cen-1"},           {kCcnIdAnnotation, "ccn-1"},
          {kCcnRegionAnnotation, "cn-shanghai"}, {kIsDefaultAnnotation, "false"}};
}

PlanScene::PlanScene() {
  put_pool("site", enhanced());
  put_node("box-1", "site");
  put_node("box-2", "site");
  put_node("arm-1", "site", "arm64");
  put_node("cloud-1", "");
}

void PlanScene::put_pool(const std::string& name, const Text& annotations, const std::string& type) {
  pools[name] = {.id = {.name = name, .uid = "p-" + name},
                 .api_version = "apps.openyurt.io/v1beta1",
                 .type = type,
                 .annotations = annotations};
}

void PlanScene::put_node(const std::string& name, const std::string& pool, const std::string& arch) {
  nodes[name] = {.id = {.name = name, .uid = "n-" + name}, .pool = pool, .arch = arch};
  if (!pool.empty()) nodes[name].desired = {pool};
}

void PlanScene::run(const std::string& gateway, const std::string& node, const std::string& address) {
  CorePod& pod = pods["site-" + gateway];
  pod = {.id = {.name = "site-" + gateway},
         .pool = "site",
         .gateway = gateway,
         .node = node,
         .placed = true,
         .ready = true};
  pod.addresses = {IpAddress::parse(address).value()};
  deployments.at("site-" + gateway).available = true;
}

void PlanScene::stop(const std::string& gateway) {
  pods.at("site-" + gateway).placed = pods.at("site-" + gateway).ready = false;
  deployments.at("site-" + gateway).available = false;
}

PoolPlan PlanScene::plan(const std::string& pool) const {
  const ClusterSight cluster{pools,   nodes,   gateways, deployments, helpers,
                             budgets, secrets, pods,     connections, given};
  return plan_pool(cluster, pool, memory, options, make_fresh_keys().value(), now);
}

bool PlanScene::step(const std::string& pool) {
  const PoolPlan planned = plan(pool);
  if (planned.steps.empty()) return false;
  const Step& first = planned.steps.front();
  first.verb == Verb::kRemove ? remove(first) : apply(first);
  return true;
}

std::vector<std::string> PlanScene::settle(const std::string& pool) {
  std::vector<std::string> done;
  for (PoolPlan planned = plan(pool); !planned.steps.empty(); planned = plan(pool)) {
    const Step& first = planned.steps.front();
    done.push_back(std::string(verb_of(first.verb)) + " " + to_string(first.kind) + " " + first.name);
    REQUIRE(done.size() < 50);
    step(pool);
  }
  return done;
}

void PlanScene::apply(const Step& step) {
  json& object = written[step.key()];
  if (step.verb == Verb::kApplyStatus) {
    object["status"] = step.object["status"];
  } else {
    const json status = object.is_object() ? object.value("status", json::object()) : json::object();
    const std::string uid = object.is_object() ? object["metadata"].value("uid", "") : "";
    const std::int64_t generation = object.is_object() ? object["metadata"].value("generation", 0) : 0;
    object = step.object;
    object["status"] = status;
    object["metadata"]["uid"] = uid.empty() ? "u-" + std::to_string(++lives_) : uid;
    object["metadata"]["generation"] = generation + 1;
    memory.applied[step.key()] = generation + 1;
  }
  switch (step.kind) {
    case Kind::kEdgeGateway: {
      const SeenGateway was = gateways[step.name];
      SeenGateway& gateway = gateways[step.name] = decoded<SeenGateway>(object, decode_seen_gateway);
      for (const char* key : {kRotateAnnotation, kAcceptedAnnotation}) {  // others' fields stay
        if (was.annotations.contains(key)) gateway.annotations[key] = was.annotations.at(key);
      }
      gateway.taken_keys = was.taken_keys;
      break;
    }
    case Kind::kSecret:
      secrets[step.name] = decoded<SeenSecret>(object, decode_secret);
      break;
    case Kind::kBudget:
      budgets[step.name] = decoded<OwnedObject>(object, decode_owned);
      break;
    case Kind::kDeployment:
      deployments[step.name] = decoded<SeenDeployment>(object, decode_deployment);
      break;
    case Kind::kDaemonSet:
      helpers[step.name] = decoded<OwnedObject>(object, decode_owned);
      break;
  }
}

void PlanScene::remove(const Step& step) {
  written.erase(step.key());
  gateways.erase(step.kind == Kind::kEdgeGateway ? step.name : "");
  secrets.erase(step.kind == Kind::kSecret ? step.name : "");
  budgets.erase(step.kind == Kind::kBudget ? step.name : "");
  deployments.erase(step.kind == Kind::kDeployment ? step.name : "");
  helpers.erase(step.kind == Kind::kDaemonSet ? step.name : "");
}

const GatewayCondition& PlanScene::condition(const std::string& type) const {
  for (const GatewayCondition& each : gateways.at("site").status.conditions) {
    if (each.type == type) return each;
  }
  FAIL("there is no condition " << type);
  std::abort();
}

std::vector<std::string> PlanScene::objects() const {
  std::vector<std::string> out;
  for (const auto& [key, object] : written)
    out.push_back(std::string(to_string(key.first)) + " " + key.second);
  return out;
}

}  // namespace holdfast::gateway::test
