#include "cni-flannel/inspect/pod_findings.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>

#include "cni-flannel/daemon/name_list.h"
#include "cni-flannel/daemon/pod_addresses.h"

namespace holdfast::flannel {
namespace {

constexpr const char* kPods = "pods";
constexpr std::uint64_t kFewAreLeft = 20;  // one in so many

// Absent pods' addresses are given away when nothing else is left, so they do not count.
Finding room_finding(const Cidr& subnet, const PoolUsage& pool) {
  const std::string what = "addresses of " + subnet.to_string();
  const std::string used = std::to_string(pool.used) + " of " + std::to_string(pool.size) + " are in use";
  if (pool.used >= pool.size) {
    return {
        Verdict::kWrong, what,
        used + ": no other pod can start here; move pods to other nodes, or give the node a larger pod CIDR"};
  }
  if (pool.size - pool.used <= pool.size / kFewAreLeft) {
    return {Verdict::kDoubtful, what, used + ": few pods more can start here"};
  }
  return {Verdict::kWell, what, used + ", " + std::to_string(pool.bound) + " kept for pods that are away"};
}

void look_at_room(Files& files, const IpamConfig& places, const std::vector<Cidr>& subnets,
                  std::vector<Finding>& out) {
  PodAddresses addresses(files, {.data_dir = places.data_dir, .state_dir = places.state_dir});
  const Result<KeptAddresses> kept = addresses.read();
  if (!kept) return out.push_back({Verdict::kDoubtful, "addresses", kept.error().message});
  const std::vector<PoolUsage> usage = kept->usage(subnets);
  for (std::size_t i = 0; i < subnets.size(); ++i) out.push_back(room_finding(subnets[i], usage[i]));
}

/// Those in this state, a few of them by name.
std::string names_of(const PodReport& pods, PodState state) {
  std::vector<std::string> names;
  for (const PodAddress& pod : pods.in_use) {
    // who is not of the plugin's log has been connected by another, who knows how
    if (pod.use.host_link.empty() || pod.state != state) continue;
    names.push_back(name_of(pod.use) + " " + pod.use.address.to_string());
  }
  return name_list(names);
}

/// Two networks over one lease know nothing of each other's addresses.
void look_at_shared(const PodReport& pods, std::vector<Finding>& out) {
  std::map<IpAddress, const PodAddress*> seen;
  for (const PodAddress& pod : pods.in_use) {
    if (pod.state != PodState::kConnected) continue;
    const auto [other, is_new] = seen.try_emplace(pod.use.address, &pod);
    if (is_new) continue;
    out.push_back(
        {Verdict::kWrong, kPods,
         name_of(other->second->use) + " of network " + other->second->network + " and " + name_of(pod.use) +
             " of network " + pod.network + " both have " + pod.use.address.to_string() +
             ": two networks must not have one lease; give them one name, and restart one of the pods"});
  }
}

void look_at_pods(const PodReport& pods, std::vector<Finding>& out) {
  struct Row {
    PodState state;
    Verdict verdict;
    const char* detail;
  };
  constexpr Row kRows[] = {
      {PodState::kOutside, Verdict::kWrong,
       "with addresses of an earlier pod CIDR, to which peers send nothing; restart them: "},
      {PodState::kNoBridge, Verdict::kWrong,
       "with links that are ports of no bridge, so that nothing reaches them; restart them: "},
      {PodState::kNoLink, Verdict::kDoubtful,
       "without link: they have not come back since a restart of the node, or their sandboxes are gone: "},
  };
  const std::size_t before = out.size();
  for (const Row& row : kRows) {
    const std::string names = names_of(pods, row.state);
    if (!names.empty()) out.push_back({row.verdict, kPods, row.detail + names});
  }
  look_at_shared(pods, out);
  if (out.size() == before) {
    out.push_back({Verdict::kWell, kPods, std::to_string(pods.in_use.size()) + " addresses in use"});
  }
}

}  // namespace

std::vector<Finding> pod_findings(Files& files, const Result<PodReport>& pods, const IpamConfig& places,
                                  const SubnetEnv& lease) {
  std::vector<Finding> out;
  look_at_room(files, places, subnets_of(lease), out);
  if (pods) {
    look_at_pods(*pods, out);
  } else {
    out.push_back({Verdict::kWrong, kPods, pods.error().message});
  }
  return out;
}

}  // namespace holdfast::flannel
