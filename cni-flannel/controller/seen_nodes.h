#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "cni-flannel/controller/allotment.h"
#include "cni-flannel/controller/network_plan.h"
#include "common/base/json.h"
#include "common/base/result.h"
#include "common/kube/object.h"

namespace holdfast::flannel {

/// On a NodeNetworkConfiguration of ours: the uid of the Node whose annotations it tells.
inline constexpr const char* kMirroredAnnotation = "net.holdfast.dev/mirrored-node-uid";

/// What is kept of each kind.
[[nodiscard]] kube::KeptFields seen_node_fields();
[[nodiscard]] kube::KeptFields seen_object_fields();

/// Of its annotations those of flannel, by `keys`, and of its labels the pool's. Pod CIDRs that cannot be
/// read are as none that are told: what is wrong with a Node's is the API server's to refuse. Errors:
/// kInvalidArgument, naming the member.
[[nodiscard]] Result<SeenNode> decode_seen_node(const JsonObject& object, const AnnotationKeys& keys);
/// Errors: those of decode_node_network().
[[nodiscard]] Result<SeenObject> decode_seen_object(const JsonObject& object);

/// The object as kMirror applies it.
[[nodiscard]] nlohmann::json mirrored_object(const NetworkStep& step, const std::string& node_uid);
/// Merge patches; each holds the uid, so that another life of the object refuses it.
[[nodiscard]] nlohmann::json cidrs_patch(const NetworkStep& step);
[[nodiscard]] nlohmann::json annotations_patch(const NetworkStep& step);
/// Of the object's pod CIDRs; with the resourceVersion.
[[nodiscard]] nlohmann::json claim_patch(const NetworkStep& step);
/// Takes the mark of flanneld off and sets ours; with the resourceVersion.
[[nodiscard]] nlohmann::json adopting_patch(const NetworkStep& step, const std::string& node_uid);
/// Of the whole object: `removed_at` empty takes the tombstone off. Also with the resourceVersion.
[[nodiscard]] nlohmann::json tombstone_patch(const NetworkStep& step, const std::string& removed_at);
/// Of the object's status.
[[nodiscard]] nlohmann::json told_patch(const SeenObject& object, const Allotment& allotment,
                                        const std::vector<Condition>& conditions);

/// The conditions that `findings` make of those told last: False for what was found, True for what was and is
/// not any more. What stays keeps its time. Nothing found and nothing told: none.
[[nodiscard]] std::vector<Condition> conditions_of(const std::vector<NodeFinding>& findings,
                                                   const std::vector<Condition>& last,
                                                   const std::string& now);

}  // namespace holdfast::flannel
