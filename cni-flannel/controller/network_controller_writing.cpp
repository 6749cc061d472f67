// How NetworkController writes what a plan says.
#include <nlohmann/json.hpp>
#include <utility>

#include "cni-flannel/controller/network_controller.h"
#include "cni-flannel/controller/seen_nodes.h"
#include "cni-flannel/daemon/watched_nodes.h"
#include "common/base/clock.h"

namespace holdfast::flannel {
namespace {

using nlohmann::json;

const char* name_of(NetworkVerb verb) {
  switch (verb) {
    case NetworkVerb::kGiveCidrs:
      return "gives pod CIDRs";
    case NetworkVerb::kMirror:
      return "mirrors annotations";
    case NetworkVerb::kAdopt:
      return "follows annotations";
    case NetworkVerb::kAnnotate:
      return "annotates the Node";
    case NetworkVerb::kBury:
      return "marks as removed";
    case NetworkVerb::kRevive:
      return "takes the mark off";
    case NetworkVerb::kForget:
      return "deletes the object";
  }
  return "";
}

}  // namespace

void NetworkController::write_statuses(const NetworkSight& sight) {
  const std::string time = utc_text(context_.loop.clock().now());
  for (const auto& [name, object] : sight.objects) {
    const auto found = findings_.find(name);
    const std::vector<NodeFinding> none;
    const std::vector<NodeFinding>& findings = found == findings_.end() ? none : found->second;
    const std::vector<Condition> wanted = conditions_of(findings, object.told, time);
    const Allotment allotted =
        allotment(sight, name, options_.plan.cidr_quarantine, context_.loop.clock().now());
    const bool is_told = wanted == object.told && allotted == Allotment{object.allotted, object.freed};
    if (is_told || !may_write(name)) continue;
    ++under_way_;
    work_of(name).call = context_.client.merge(
        node_networks(), name, told_patch(object, allotted, wanted),
        [this, name = name](const Result<json>& outcome) {
          done(name, "tells conditions", outcome, [this](const json& told) { objects_.told(told); });
        },
        {.kept = seen_object_fields(), .deadline = options_.write}, "status");
  }
}

NetworkController::Work& NetworkController::work_of(const std::string& node) {
  return works_
      .try_emplace(node,
                   Work{.backoff = Backoff(options_.first_wait, options_.longest_wait, options_.seed + 40)})
      .first->second;
}

bool NetworkController::may_write(const std::string& node) {
  if (under_way_ >= kMostWrites) return false;
  const Work& work = work_of(node);
  if (work.call != nullptr) return false;
  if (work.not_before > now()) look_again_in(work.not_before - now());
  return work.not_before <= now();
}

void NetworkController::begin(const NetworkSight& sight, const NetworkStep& step) {
  Work& work = work_of(step.node);
  const std::string what = name_of(step.verb);
  context_.log.info("writes", {{"node", step.node}, {"what", what}});
  const auto to_node = [this, node = step.node, what](const Result<json>& outcome) {
    done(node, what, outcome, [this](const json& told) { nodes_.told(told); });
  };
  const auto to_object = [this, node = step.node, what](const Result<json>& outcome) {
    done(node, what, outcome, [this](const json& told) { objects_.told(told); });
  };
  const kube::CallOptions node_call{.kept = seen_node_fields(), .deadline = options_.write};
  const kube::CallOptions object_call{.kept = seen_object_fields(), .deadline = options_.write};
  const std::string time = utc_text(context_.loop.clock().now());
  kube::ObjectClient& client = context_.client;
  ++under_way_;
  switch (step.verb) {
    case NetworkVerb::kGiveCidrs:
      work.promised = step.cidrs;
      work.promised_to = step.uid;
      work.call = client.merge(nodes(), step.node, cidrs_patch(step), to_node, node_call);
      break;
    case NetworkVerb::kAnnotate:
      work.call = client.merge(nodes(), step.node, annotations_patch(step), to_node, node_call);
      break;
    case NetworkVerb::kMirror:
      work.call = client.apply(node_networks(), mirrored_object(step, sight.nodes.at(step.node).id.uid),
                               to_object, object_call);
      break;
    case NetworkVerb::kAdopt:
      work.call =
          client.merge(node_networks(), step.node, adopting_patch(step, sight.nodes.at(step.node).id.uid),
                       to_object, object_call);
      break;
    case NetworkVerb::kBury:
      work.call =
          client.merge(node_networks(), step.node, tombstone_patch(step, time), to_object, object_call);
      break;
    case NetworkVerb::kRevive:
      work.call = client.merge(node_networks(), step.node, tombstone_patch(step, ""), to_object, object_call);
      break;
    case NetworkVerb::kForget:
      work.call = client.remove(node_networks(), step.node, step.uid,
                                [this, node = step.node, uid = step.uid, what](Result<json> outcome) {
                                  if (!outcome && outcome.error().code == Code::kNotFound)
                                    outcome = json::object();
                                  done(node, what, outcome, [&](const json& /*told*/) {
                                    objects_.removed({.name = node, .uid = uid});
                                  });
                                },
                                {.deadline = options_.write});
      break;
  }
}

void NetworkController::done(const std::string& node, const std::string& what, const Result<json>& outcome,
                             const std::function<void(const json&)>& told) {
  if (!leads()) return cease();
  Work& work = work_of(node);
  const kube::ObjectClient::CallPtr ended = std::exchange(work.call, nullptr);
  --under_way_;
  if (!outcome) return failed(node, what, outcome.error());
  work.backoff.reset();
  told(*outcome);
  changed();
}

void NetworkController::failed(const std::string& node, const std::string& what, const Error& error) {
  context_.metrics.counter("holdfast_flannel_failed_writes_total", "Writes that failed and are tried again")
      .add();
  context_.log.warning("not written", {{"node", node}, {"what", what}, {"why", error.message}});
  Work& work = work_of(node);
  work.not_before = now() + work.backoff.next();
  changed();
}

}  // namespace holdfast::flannel
