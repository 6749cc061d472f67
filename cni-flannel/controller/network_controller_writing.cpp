// How NetworkController writes what a plan says.
#include <algorithm>
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
    case NetworkVerb::kCorrect:
      return "corrects a claim of another's pod CIDRs";
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

// Nullopt: it tells what it should.
std::optional<json> NetworkController::wanted_status(const SeenObject& object) {
  const std::string& name = object.id.name;
  const auto now = context_.loop.clock().now();
  const auto found = findings_.find(name);
  const std::vector<NodeFinding> none;
  const std::vector<NodeFinding>& findings = found == findings_.end() ? none : found->second;
  const std::vector<Condition> wanted = conditions_of(findings, object.told, utc_text(now));
  const Allotment allotted = allotment(*seen_, name, options_.plan.cidr_quarantine, now);
  const bool is_told = wanted == object.told && allotted == Allotment{object.allotted, object.freed};
  if (is_told) return std::nullopt;
  return told_patch(object, allotted, wanted);
}

std::deque<std::string> NetworkController::untold() {
  std::deque<std::string> out;
  for (const auto& [name, object] : objects_.all()) {
    if (wanted_status(object)) out.push_back(name);
  }
  return out;
}

NetworkController::Work& NetworkController::work_of(const std::string& node) {
  const auto found = works_.find(node);
  if (found != works_.end()) return found->second;
  const Backoff backoff(options_.first_wait, options_.longest_wait, ++last_seed_);
  return works_.emplace(node, Work{.backoff = backoff}).first->second;
}

// What is told of a node since the last look is taken in by the next one.
bool NetworkController::may_write(const std::string& node) {
  const Work& work = work_of(node);
  if (work.call != nullptr || changed_.contains(node)) return false;
  if (work.not_before > now()) look_again_in(work.not_before - now());
  return work.not_before <= now();
}

// What is left out here the next look finds again, where it still is to be written.
void NetworkController::write_waiting() {
  while (under_way_ < kMostWrites && !steps_.empty()) {
    const NetworkStep step = std::move(steps_.front());
    steps_.pop_front();
    if (may_write(step.node) && is_still_free(step.cidrs)) begin(step);
  }
  while (under_way_ < kMostWrites && !untold_.empty()) {
    const std::string node = std::move(untold_.front());
    untold_.pop_front();
    if (may_write(node)) begin_status(node);
  }
}

// Whether no other node was heard of meanwhile that has part of it.
bool NetworkController::is_still_free(const std::vector<Cidr>& cidrs) const {
  return std::ranges::none_of(cidrs, [&](const Cidr& cidr) {
    return std::ranges::any_of(changed_,
                               [&](const std::string& name) { return seen_->has_part_of(cidr, name); });
  });
}

void NetworkController::begin_status(const std::string& node) {
  const std::optional<json> patch = wanted_status(objects_.all().at(node));
  if (!patch) return;
  ++under_way_;
  work_of(node).call = context_.client.merge(
      node_networks(), node, *patch,
      [this, node](const Result<json>& outcome) {
        done(node, "tells conditions", outcome, [this](const json& told) { objects_.told(told); });
      },
      {.kept = seen_object_fields(), .deadline = options_.write}, "status");
}

void NetworkController::begin(const NetworkStep& step) {
  context_.log.info("writes", {{"node", step.node}, {"what", name_of(step.verb)}});
  ++under_way_;
  switch (step.verb) {
    case NetworkVerb::kGiveCidrs:
    case NetworkVerb::kAnnotate:
      return change_node(step);
    case NetworkVerb::kMirror:
      return make_object(step);
    case NetworkVerb::kForget:
      return remove_object(step);
    case NetworkVerb::kCorrect:
    case NetworkVerb::kAdopt:
    case NetworkVerb::kBury:
    case NetworkVerb::kRevive:
      break;
  }
  change_object(step);
}

void NetworkController::change_node(const NetworkStep& step) {
  Work& work = work_of(step.node);
  const bool gives = step.verb == NetworkVerb::kGiveCidrs;
  if (gives) {
    work.promised = step.cidrs;
    work.promised_to = step.uid;
  }
  work.call =
      context_.client.merge(nodes(), step.node, gives ? cidrs_patch(step) : annotations_patch(step),
                            [this, node = step.node, what = name_of(step.verb)](const Result<json>& outcome) {
                              done(node, what, outcome, [this](const json& told) { nodes_.told(told); });
                            },
                            {.kept = seen_node_fields(), .deadline = options_.write});
}

void NetworkController::make_object(const NetworkStep& step) {
  work_of(step.node).call =
      context_.client.apply(node_networks(), mirrored_object(step, seen_->nodes.at(step.node).id.uid),
                            object_outcome(step), {.kept = seen_object_fields(), .deadline = options_.write});
}

void NetworkController::change_object(const NetworkStep& step) {
  work_of(step.node).call =
      context_.client.merge(node_networks(), step.node, object_patch(step), object_outcome(step),
                            {.kept = seen_object_fields(), .deadline = options_.write});
}

json NetworkController::object_patch(const NetworkStep& step) const {
  if (step.verb == NetworkVerb::kCorrect) return claim_patch(step);
  if (step.verb == NetworkVerb::kAdopt) return adopting_patch(step, seen_->nodes.at(step.node).id.uid);
  const bool buries = step.verb == NetworkVerb::kBury;
  return tombstone_patch(step, buries ? utc_text(context_.loop.clock().now()) : "");
}

kube::ObjectClient::Done NetworkController::object_outcome(const NetworkStep& step) {
  return [this, node = step.node, what = name_of(step.verb)](const Result<json>& outcome) {
    done(node, what, outcome, [this](const json& told) { objects_.told(told); });
  };
}

/// One that is gone already is removed, too.
void NetworkController::remove_object(const NetworkStep& step) {
  const auto removed = [this, node = step.node, uid = step.uid,
                        what = name_of(step.verb)](Result<json> outcome) {
    if (!outcome && outcome.error().code == Code::kNotFound) outcome = json::object();
    done(node, what, outcome, [&](const json& /*told*/) { objects_.removed({.name = node, .uid = uid}); });
  };
  work_of(step.node).call =
      context_.client.remove(node_networks(), step.node, step.uid, removed, {.deadline = options_.write});
}

void NetworkController::done(const std::string& node, const std::string& what, const Result<json>& outcome,
                             const std::function<void(const json&)>& told) {
  if (!leads()) return cease();
  Work& work = work_of(node);
  const kube::ObjectClient::CallPtr ended = std::exchange(work.call, nullptr);
  --under_way_;
  if (outcome) {
    work.backoff.reset();
    told(*outcome);
  } else {
    failed(node, what, outcome.error());
  }
  write_waiting();
  if (steps_.empty() && untold_.empty()) changed();
}

void NetworkController::failed(const std::string& node, const std::string& what, const Error& error) {
  context_.metrics.counter("holdfast_flannel_failed_writes_total", "Writes that failed and are tried again")
      .add();
  context_.log.warning("not written", {{"node", node}, {"what", what}, {"why", error.message}});
  Work& work = work_of(node);
  work.not_before = now() + work.backoff.next();
}

}  // namespace holdfast::flannel
