#include "cni-flannel/controller/seen_nodes.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "cni-flannel/daemon/controller_conditions.h"
#include "cni-flannel/daemon/node_network_names.h"
#include "cni-flannel/daemon/own_documents.h"
#include "common/base/clock.h"
#include "common/kube/names.h"
#include "common/kube/node_pools.h"

namespace holdfast::flannel {
namespace {

using nlohmann::json;

constexpr const char* kTrue = "True";
constexpr const char* kFalse = "False";

std::string value_of(const Annotations& annotations, const std::string& key) {
  const auto found = annotations.find(key);
  return found == annotations.end() ? "" : found->second;
}

// The pool that a Node is in counts before those that it wants to be in.
void read_pool(const Annotations& labels, SeenNode& out) {
  std::set<std::string> wanted;
  for (const char* label : {kube::kDesiredPoolLabel, kube::kDesiredPoolLabelOfAck}) {
    if (const std::string pool = value_of(labels, label); !pool.empty()) wanted.insert(pool);
  }
  out.pool = value_of(labels, kube::kNodePoolLabel);
  if (!out.pool.empty()) wanted.insert(out.pool);
  if (out.pool.empty() && wanted.size() == 1) out.pool = *wanted.begin();
  out.contradicts = wanted.size() > 1;
}

Result<Annotations> texts_of(const JsonField& field) {
  HOLDFAST_TRY(const JsonObject object, field.object_or_empty());
  Annotations out;
  for (const std::string& key : object.keys()) {
    HOLDFAST_TRY(out[key], object[key].string_or(""));
  }
  return out;
}

void read_told(const Annotations& annotations, const AnnotationKeys& keys, SeenNode& out) {
  Result<std::optional<NodeNetwork>> told = decode_annotations(out.id.name, annotations, out.pod_cidrs, keys);
  if (!told) {
    out.untold = std::move(told).error().message;
    return;
  }
  out.told = *std::move(told);
}

// Names, which stand among them, are left out.
Status read_addresses(const JsonObject& status, SeenNode& out) {
  HOLDFAST_TRY(const std::vector<JsonField> fields, status["addresses"].array_or_empty());
  for (const JsonField& field : fields) {
    HOLDFAST_TRY(const JsonObject each, field.object());
    const Result<IpAddress> address = each["address"].address();
    if (address) out.addresses.push_back(*address);
  }
  return {};
}

Status read_node(const JsonObject& object, const AnnotationKeys& keys, SeenNode& out) {
  HOLDFAST_TRY(const JsonObject metadata, object["metadata"].object());
  HOLDFAST_TRY(const Annotations labels, texts_of(metadata["labels"]));
  read_pool(labels, out);
  out.leaving = metadata["deletionTimestamp"].present();
  HOLDFAST_TRY(const JsonObject spec, object["spec"].object_or_empty());
  HOLDFAST_TRY(out.pod_cidrs, decode_pod_cidrs(spec, "podCIDR"));
  HOLDFAST_TRY(const Annotations annotations, annotations_of(object));
  read_told(annotations, keys, out);
  HOLDFAST_TRY(const JsonObject status, object["status"].object_or_empty());
  HOLDFAST_CHECK(read_addresses(status, out));
  HOLDFAST_TRY(const JsonObject info, status["nodeInfo"].object_or_empty());
  HOLDFAST_TRY(out.boot_id, info["bootID"].string_or(""));
  return {};
}

Result<FreedCidr> read_freed(const JsonField& field) {
  HOLDFAST_TRY(const JsonObject object, field.object());
  HOLDFAST_TRY(const Cidr cidr, object["cidr"].cidr());
  HOLDFAST_TRY(const std::string since, object["since"].string());
  const auto time = parse_utc(since);
  if (!time) return object["since"].refuse("is no time");
  return FreedCidr{.cidr = cidr.network(), .since = *time};
}

Status read_told(const JsonObject& object, SeenObject& out) {
  HOLDFAST_TRY(const JsonObject status, object["status"].object_or_empty());
  HOLDFAST_TRY(const JsonObject cluster, status["cluster"].object_or_empty());
  HOLDFAST_TRY(out.allotted, decode_pod_cidrs(cluster, "podCIDR"));
  HOLDFAST_TRY(const std::vector<JsonField> freed, cluster["freed"].array_or_empty());
  for (const JsonField& field : freed) {
    HOLDFAST_TRY(out.freed.emplace_back(), read_freed(field));
  }
  HOLDFAST_TRY(out.told, decode_controller_conditions(object));
  return {};
}

json texts_of(const std::vector<Cidr>& cidrs) {
  json out = json::array();
  for (const Cidr& cidr : cidrs) out.push_back(cidr.to_string());
  return out;
}

json texts_of(const std::vector<FreedCidr>& freed) {
  json out = json::array();
  for (const FreedCidr& each : freed) {
    out.push_back({{"cidr", each.cidr.to_string()}, {"since", utc_text(each.since)}});
  }
  return out;
}

json metadata_of(const NetworkStep& step) {
  json out = json::object();
  if (!step.uid.empty()) out["uid"] = step.uid;
  return out;
}

const Condition* of_type(const std::vector<Condition>& conditions, const std::string& type) {
  const auto found = std::ranges::find(conditions, type, &Condition::type);
  return found == conditions.end() ? nullptr : &*found;
}

void set(std::vector<Condition>& out, const std::vector<Condition>& last, Condition condition) {
  const Condition* before = of_type(last, condition.type);
  if (before != nullptr && before->status == condition.status) {
    condition.last_transition_time = before->last_transition_time;
  }
  out.push_back(std::move(condition));
}

}  // namespace

kube::KeptFields seen_node_fields() {
  return {"metadata.labels", "metadata.annotations", "metadata.deletionTimestamp", "spec.podCIDR",
          "spec.podCIDRs",   "status.addresses",     "status.nodeInfo.bootID"};
}

kube::KeptFields seen_object_fields() {
  return {"apiVersion", "kind",          "metadata.annotations", "metadata.creationTimestamp",
          "spec",       "status.cluster"};
}

Result<SeenNode> decode_seen_node(const JsonObject& object, const AnnotationKeys& keys) {
  SeenNode out;
  HOLDFAST_TRY(const ObjectIdentity identity, decode_identity(object));
  out.id = {.name = identity.name,
            .name_space = "",
            .uid = identity.uid,
            .resource_version = identity.resource_version};
  if (const Status read = read_node(object, keys, out); !read) out.fault = read.error().message;
  return out;
}

Result<SeenObject> decode_seen_object(const JsonObject& object) {
  SeenObject out;
  HOLDFAST_TRY(const ObjectIdentity identity, decode_identity(object));
  out.id = {.name = identity.name,
            .name_space = "",
            .uid = identity.uid,
            .resource_version = identity.resource_version};
  out.generation = identity.generation;
  (void)read_told(object, out);  // of what cannot be read: as far as it could be
  HOLDFAST_TRY(const JsonObject metadata, object["metadata"].object());
  HOLDFAST_TRY(out.created, metadata["creationTimestamp"].string_or(""));
  Result<NodeNetworkObject> decoded = decode_node_network(object);
  if (!decoded) {
    out.fault = decoded.error().message;
    if (const auto spec = object["spec"].object_or_empty()) {
      out.removed_at = (*spec)["removedAt"].string_or("").value_or("");
    }
    return out;
  }
  out.network = std::move(decoded->network);
  out.removed_at = std::move(decoded->removed_at);
  const Result<Annotations> annotations = annotations_of(object);
  const std::string mirrored = annotations ? value_of(*annotations, kMirroredAnnotation) : "";
  out.node_uid = leased_uid_of(object);
  out.mirrored = out.node_uid.empty() && !mirrored.empty();
  if (out.mirrored) out.node_uid = mirrored;
  return out;
}

json mirrored_object(const NetworkStep& step, const std::string& node_uid) {
  NodeNetworkObject object;
  object.identity.name = step.node;
  object.identity.uid = step.uid;
  object.network = step.network;
  json out = encode_node_network(object);
  out["metadata"]["annotations"] = {{kMirroredAnnotation, node_uid}};
  return out;
}

json cidrs_patch(const NetworkStep& step) {
  const json cidrs = texts_of(step.cidrs);
  return {{"metadata", metadata_of(step)}, {"spec", {{"podCIDR", cidrs.at(0)}, {"podCIDRs", cidrs}}}};
}

json annotations_patch(const NetworkStep& step) {
  json metadata = metadata_of(step);
  metadata["annotations"] = step.annotations;
  return {{"metadata", std::move(metadata)}};
}

json claim_patch(const NetworkStep& step) {
  json metadata = metadata_of(step);
  metadata["resourceVersion"] = step.resource_version;
  const json cidrs = texts_of(step.cidrs);
  return {{"metadata", std::move(metadata)},
          {"spec", {{"flannel", {{"podCidr", cidrs.at(0)}, {"podCIDRs", cidrs}}}}}};
}

json adopting_patch(const NetworkStep& step, const std::string& node_uid) {
  json metadata = metadata_of(step);
  metadata["resourceVersion"] = step.resource_version;
  metadata["annotations"] = {{kNodeUidAnnotation, nullptr}, {kMirroredAnnotation, node_uid}};
  return {{"metadata", std::move(metadata)}};
}

json tombstone_patch(const NetworkStep& step, const std::string& removed_at) {
  json metadata = metadata_of(step);
  metadata["resourceVersion"] = step.resource_version;
  return {{"metadata", std::move(metadata)},
          {"spec", {{"removedAt", removed_at.empty() ? json() : json(removed_at)}}}};
}

json told_patch(const SeenObject& object, const Allotment& allotment,
                const std::vector<Condition>& conditions) {
  json encoded =
      encode_node_network_status({.observed_generation = object.generation, .conditions = conditions});
  if (!allotment.cidrs.empty()) encoded["podCIDRs"] = texts_of(allotment.cidrs);
  if (allotment.freed != object.freed) encoded["freed"] = texts_of(allotment.freed);
  return {{"metadata", {{"uid", object.id.uid}}}, {"status", {{"cluster", std::move(encoded)}}}};
}

std::vector<Condition> conditions_of(const std::vector<NodeFinding>& findings,
                                     const std::vector<Condition>& last, const std::string& now) {
  std::vector<Condition> out;
  for (const NodeFinding& finding : findings) {
    if (of_type(out, finding.type) != nullptr) continue;
    set(out, last, {finding.type, kFalse, finding.reason, finding.message, now});
  }
  for (const Condition& before : last) {
    if (of_type(out, before.type) == nullptr) set(out, last, {before.type, kTrue, "AsWanted", "", now});
  }
  std::ranges::sort(out, {}, &Condition::type);
  return out;
}

}  // namespace holdfast::flannel
