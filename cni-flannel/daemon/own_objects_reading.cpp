// How OwnObjects learns what the cluster has of us.
#include <nlohmann/json.hpp>
#include <utility>

#include "cni-flannel/daemon/controller_conditions.h"
#include "cni-flannel/daemon/own_documents.h"
#include "cni-flannel/daemon/own_objects_known.h"
#include "cni-flannel/daemon/watched_nodes.h"

namespace holdfast::flannel {

using nlohmann::json;

void OwnObjects::read_object() {
  const auto done = [this](Result<json> read) { object_read(std::move(read)); };
  call_ =
      client_.get(node_networks(), node_, done,
                  {.kept = {"apiVersion", "metadata.annotations", "metadata.generation", "spec", "status"},
                   .deadline = kOwnObjectCall});
}

void OwnObjects::object_read(Result<json> read) {
  if (!read && read.error().code != Code::kNotFound) {
    return ended(tl::unexpected(read.error()), "read our NodeNetworkConfiguration");
  }
  known_->object_read = true;
  if (read) {
    const JsonObject fields(&*read, "");
    const auto object = decode_node_network(fields);
    if (object) known_->object = *object;
    known_->leased_uid = leased_uid_of(fields);
    known_->status = decode_node_network_status(fields).value_or(NodeNetworkStatus{});
    if (object) callbacks_.told(completed(*object));
    tell_judgement(fields);
  } else {
    callbacks_.judged({});
  }
  ended({}, "");
}

/// Once: what follows meanwhile is read with it.
void OwnObjects::look_at_judgement_later() {
  if (look_at_judgement_.pending()) return;
  look_at_judgement_ = loop_.after(settles_, [this] {
    known_->judgement_is_due = true;
    step_after({});
  });
}

void OwnObjects::read_judgement() {
  const auto done = [this](const Result<json>& read) {
    const bool gone = !read && read.error().code == Code::kNotFound;
    if (!read && !gone) return ended(tl::unexpected(read.error()), "read flannel-controller's conditions");
    known_->judgement_is_due = false;
    if (read) tell_judgement(JsonObject(&*read, ""));
    ended({}, "");
  };
  call_ = client_.get(node_networks(), node_, done, {.kept = {"status.cluster"}, .deadline = kOwnObjectCall});
}

void OwnObjects::tell_judgement(const JsonObject& object) {
  const auto judgement = decode_controller_conditions(object);
  if (judgement) callbacks_.judged(*judgement);
}

/// Of a Node that is the same as when our object was written, or whose changes are told, its metadata is
/// enough: it never gets other pod CIDRs, and the rest of it is some 10 kB.
bool OwnObjects::knows_pod_cidrs() const {
  if (node_told_ == NodeTold::kByChanges && !uses_object_ && !known_->whole_node_needed) return true;
  return known_->object && !known_->leased_uid.empty() && !known_->whole_node_needed && wanted_ &&
         !wanted_->pod_cidrs.empty() && wanted_->pod_cidrs == known_->object->network.pod_cidrs;
}

void OwnObjects::read_node() {
  const bool metadata_only = knows_pod_cidrs();
  const auto done = [this, metadata_only](const Result<json>& read) {
    metadata_only ? node_metadata_read(read) : node_read(read);
  };
  call_ = client_.get(nodes(), node_, done,
                      {.kept = {"metadata.annotations", "spec.podCIDR", "spec.podCIDRs", "status.conditions"},
                       .deadline = kOwnObjectCall,
                       .metadata_only = metadata_only});
}

void OwnObjects::node_metadata_read(const Result<json>& read) {
  if (!read) return ended(tl::unexpected(read.error()), "read our Node's metadata");
  const JsonObject fields(&*read, "");
  const auto identity = decode_identity(fields);
  const bool is_the_same = identity && (!uses_object_ || identity->uid == known_->leased_uid);
  if (!is_the_same) {
    known_->whole_node_needed = true;
    return ended({}, "");
  }
  node_told(fields);
  known_->network_up = true;  // since we wrote our annotations
  known_->pod_cidrs = wanted_->pod_cidrs;
  if (known_->object) callbacks_.told(completed(*known_->object));
  look_at_node_later();
  ended({}, "");
}

void OwnObjects::node_read(const Result<json>& read) {
  if (!read) return ended(tl::unexpected(read.error()), "read our Node");
  known_->whole_node_needed = false;
  const JsonObject fields(&*read, "");
  node_told(fields);
  const auto decoded = node_decoder(keys_, node_).decode(fields);
  if (decoded && *decoded) {
    NodeNetworkObject told = **decoded;
    if (known_->object) {  // the Node adds its pod CIDRs to what the object says
      told = completed(*known_->object);
    }
    callbacks_.told(std::move(told));
  }
  look_at_node_later();
  ended(decoded ? Status{} : Status(tl::unexpected(decoded.error())), "our Node");
  if (known_->pod_cidrs.empty() && !(known_->object && !known_->object->network.pod_cidrs.empty())) {
    known_->node_read = false;  // its pod CIDRs are given soon
    step_after(kOwnObjectWait + backoff_.next());
  }
}

void OwnObjects::look_at_node_later() {
  if (node_told_ != NodeTold::kNever) return;
  look_at_node_ = loop_.after(kLookAtNode, [this] {
    known_->node_read = false;
    step_after({});
  });
}

}  // namespace holdfast::flannel
