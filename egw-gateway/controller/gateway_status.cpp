#include "egw-gateway/controller/gateway_status.h"

#include <algorithm>
#include <array>
#include <utility>

#include "egw-gateway/controller/pool_names.h"

namespace holdfast::gateway {
namespace {

constexpr std::array kTypes{kEnhanced,          kAnnotationsUsable, kConnectionKnown, kRangesDisjoint,
                            kServicesReachable, kNodesSuffice,      kNodesInPlace,    kObjectsOwned,
                            kObjectUsable,      kKeysUsable,        kKeysCurrent,     kTunnelsGiven,
                            kGatewaysReady};
constexpr const char* kGood = "AsWanted";
constexpr std::size_t kLongestMessage = 1024;

// Of two, while one takes over from the other, the newer by name is as good as any.
const CorePod* pod_of(const std::string& pool, const std::string& gateway,
                      const std::map<std::string, CorePod>& pods, bool CorePod::*is) {
  const CorePod* out = nullptr;
  for (const auto& [name, pod] : pods) {
    if (pod.*is && pod.pool == pool && pod.gateway == gateway) out = &pod;
  }
  return out;
}

// One that is not ready yet may wait for its own entry.
const CorePod* ready_or_placed(const std::string& pool, const std::string& gateway,
                               const std::map<std::string, CorePod>& pods) {
  const CorePod* ready = pod_of(pool, gateway, pods, &CorePod::ready);
  return ready != nullptr ? ready : pod_of(pool, gateway, pods, &CorePod::placed);
}

bool share_something(const Gateway& one, const Gateway& other) {
  return one.node == other.node || std::ranges::any_of(one.pod_addresses, [&](const IpAddress& address) {
           return std::ranges::find(other.pod_addresses, address) != other.pod_addresses.end();
         });
}

GatewayCondition condition_of(const char* type, const std::vector<PoolFinding>& findings) {
  GatewayCondition out{.type = type, .status = "True", .reason = kGood};
  for (const PoolFinding& finding : findings) {
    if (finding.type != type) continue;
    if (out.status == "True") out.reason = finding.reason;
    out.status = "False";
    if (!out.message.empty()) out.message += "; ";
    out.message += finding.message;
  }
  if (out.message.size() > kLongestMessage) out.message = out.message.substr(0, kLongestMessage) + "...";
  return out;
}

const GatewayCondition* find_condition(const EdgeGatewayStatus& status, const std::string& type) {
  const auto found = std::ranges::find(status.conditions, type, &GatewayCondition::type);
  return found == status.conditions.end() ? nullptr : &*found;
}

}  // namespace

std::vector<Gateway> gateways_of(const std::string& pool, const std::map<std::string, CorePod>& pods,
                                 const std::vector<Gateway>& last) {
  std::vector<Gateway> live;
  std::vector<Gateway> kept;
  for (std::size_t i = 0; i < kGateways.size(); ++i) {
    const std::string name = kGateways.at(i);
    if (const CorePod* pod = ready_or_placed(pool, name, pods)) {
      live.push_back(
          {.name = name, .node = pod->node, .pod_addresses = pod->addresses, .priority = kPriorities.at(i)});
    } else if (const auto was = std::ranges::find(last, name, &Gateway::name); was != last.end()) {
      kept.push_back(*was);
    }
  }
  for (Gateway& each : kept) {
    const bool replaced =
        std::ranges::any_of(live, [&](const Gateway& other) { return share_something(each, other); });
    if (!replaced) live.push_back(std::move(each));
  }
  std::ranges::sort(live, {}, &Gateway::name);
  return live;
}

std::vector<std::string> ready_gateways(const std::string& pool, const std::map<std::string, CorePod>& pods) {
  std::vector<std::string> out;
  for (const char* name : kGateways) {
    if (pod_of(pool, name, pods, &CorePod::ready) != nullptr) out.emplace_back(name);
  }
  return out;
}

EdgeGatewayStatus status_of(const EdgeGatewayStatus& last, std::int64_t generation,
                            const std::vector<Gateway>& gateways, const std::vector<std::string>& ready,
                            const std::vector<PoolFinding>& findings, const std::string& now) {
  EdgeGatewayStatus out;
  out.observed_generation = generation;
  out.active = ready.empty() ? "" : ready.front();
  out.last_switch = out.active == last.active ? last.last_switch : now;
  for (const Gateway& each : gateways) {
    const bool is_ready = std::ranges::find(ready, each.name) != ready.end();
    out.gateways.push_back({.name = each.name, .node = each.node, .ready = is_ready});
  }
  for (const char* type : kTypes) {
    GatewayCondition condition = condition_of(type, findings);
    const GatewayCondition* before = find_condition(last, condition.type);
    const bool same = before != nullptr && before->status == condition.status;
    condition.last_transition_time = same ? before->last_transition_time : now;
    out.conditions.push_back(std::move(condition));
  }
  return out;
}

std::vector<PoolFinding> news_in(const EdgeGatewayStatus& now, const EdgeGatewayStatus& last) {
  std::vector<PoolFinding> out;
  for (const char* type : kTypes) {
    const GatewayCondition* condition = find_condition(now, type);
    if (condition == nullptr || condition->status == "True") continue;
    const GatewayCondition* before = find_condition(last, type);
    if (before != nullptr && before->reason == condition->reason && before->message == condition->message)
      continue;
    out.push_back({type, "", condition->message});
  }
  return out;
}

}  // namespace holdfast::gateway
