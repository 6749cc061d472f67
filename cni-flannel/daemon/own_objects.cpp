#include "cni-flannel/daemon/own_objects.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "cni-flannel/daemon/own_documents.h"
#include "cni-flannel/daemon/own_objects_known.h"
#include "cni-flannel/daemon/watched_nodes.h"
#include "common/base/clock.h"

namespace holdfast::flannel {
namespace {

using nlohmann::json;
using std::chrono::nanoseconds;

constexpr std::chrono::minutes kLongestWait{5};

}  // namespace

OwnObjects::OwnObjects(EventLoop& loop, kube::ObjectClient& client, std::string node, AnnotationKeys keys,
                       bool set_condition, Callbacks callbacks, std::uint64_t seed)
    : loop_(loop),
      client_(client),
      node_(std::move(node)),
      keys_(std::move(keys)),
      set_condition_(set_condition),
      callbacks_(std::move(callbacks)),
      backoff_(kOwnObjectWait, kLongestWait, seed),
      known_(std::make_unique<Known>()) {}

OwnObjects::~OwnObjects() = default;

void OwnObjects::start(std::chrono::milliseconds settles) {
  if (std::exchange(started_, true)) return;
  settles_ = settles;
  status_not_before_ = now() + settles;
  if (known_->object_read) look_at_judgement_later();
  step_after({});
}

void OwnObjects::set_node_told(NodeTold how) {
  node_told_ = how;
  known_->node_read = false;
  step_after({});
}

void OwnObjects::use_object() {
  uses_object_ = true;
  step_after({});
}

void OwnObjects::publish(const NodeNetwork& own, const NodeNetworkStatus& status) {
  if (wanted_ != own) call_.reset();  // it may be writing what is not true any more
  wanted_ = own;
  wanted_status_ = status;
  step_after({});
}

void OwnObjects::node_told(const JsonObject& node) {
  const auto identity = decode_identity(node);
  const auto annotations = annotations_of(node);
  if (!identity || !annotations) return;
  known_->node_read = true;
  known_->node_uid = identity->uid;
  known_->annotations = *annotations;
  known_->network_up = network_is_up(node);
  if (const auto spec = node["spec"].object_or_empty()) {
    known_->pod_cidrs = decode_pod_cidrs(*spec, "podCIDR").value_or(std::vector<Cidr>{});
  }
  if (node_differs()) step_after({});
}

void OwnObjects::object_told(const NodeNetworkObject& object) {
  known_->object_read = true;
  known_->object = object;
  if (object_differs()) step_after({});
  if (started_) look_at_judgement_later();
}

void OwnObjects::object_gone() {
  known_->object.reset();
  known_->applied.reset();
  known_->leased_uid.clear();
  known_->status = {};
  step_after({});
}

NodeNetworkObject OwnObjects::completed(NodeNetworkObject object) const {
  if (!known_->pod_cidrs.empty()) object.network.pod_cidrs = known_->pod_cidrs;
  return object;
}

void OwnObjects::step_after(nanoseconds delay) {
  next_ = loop_.after(delay, [this] { step(); });
}

void OwnObjects::step() {
  const Step next = started_ ? next_step() : nullptr;
  if (!call_ && next != nullptr) (this->*next)();
}

OwnObjects::Step OwnObjects::next_step() const {
  if (uses_object_ && !known_->object_read) return &OwnObjects::read_object;
  if (!known_->node_read && node_told_ == NodeTold::kNever) return &OwnObjects::read_node;
  if (!wanted_ || wanted_->pod_cidrs.empty()) return nullptr;
  if (!known_->node_read) return node_told_ == NodeTold::kByChanges ? &OwnObjects::read_node : nullptr;
  if (uses_object_ && object_differs()) return &OwnObjects::apply_object;
  if (node_differs()) return &OwnObjects::patch_node;
  if (uses_object_ && known_->judgement_is_due) return &OwnObjects::read_judgement;
  return uses_object_ && status_differs() ? &OwnObjects::write_status : nullptr;
}

void OwnObjects::ended(const Status& how, const std::string& what) {
  call_.reset();
  if (how) {
    backoff_.reset();
    callbacks_.trouble("");
    step_after({});
  } else {
    callbacks_.trouble(what + ": " + how.error().message);
    step_after(kOwnObjectWait + backoff_.next());
  }
}

json OwnObjects::wanted_object() const {
  // pod CIDRs that the Node does not have (any more) are of no life of it
  const bool leased = wanted_->pod_cidrs == known_->pod_cidrs;
  return applied_object(*wanted_, leased ? known_->node_uid : "");
}

bool OwnObjects::object_differs() const {
  if (!wanted_) return false;
  if (!known_->object) return true;
  const json wanted = wanted_object();
  const json present = applied_object(known_->object->network, known_->leased_uid);
  return !holds(present["spec"], wanted["spec"]) || (present != wanted && known_->applied != wanted);
}

void OwnObjects::apply_object() {
  json wanted = wanted_object();
  const nanoseconds again_at = known_->applied_at + kRepeatApply;
  if (wanted == known_->applied && now() < again_at) return step_after(again_at - now());
  const auto done = [this, wanted](const Result<json>& kept) {
    if (kept) {
      known_->applied = wanted;
      known_->applied_at = now();
      const JsonObject fields(&*kept, "");
      const auto object = decode_node_network(fields);
      if (object) known_->object = *object;
      known_->leased_uid = leased_uid_of(fields);
    }
    ended(kept ? Status{} : Status(tl::unexpected(kept.error())), "write our NodeNetworkConfiguration");
  };
  call_ = client_.apply(node_networks(), wanted, done,
                        {.kept = {"apiVersion", "metadata.annotations", "metadata.generation", "spec"},
                         .deadline = kOwnObjectCall});
}

bool OwnObjects::node_differs() const {
  if (!wanted_) return false;
  return !changed_annotations(encode_annotations(*wanted_, keys_), known_->annotations).empty() ||
         (set_condition_ && !known_->network_up);
}

void OwnObjects::patch_node() {
  const Annotations changed = changed_annotations(encode_annotations(*wanted_, keys_), known_->annotations);
  const auto done = [this, changed](const Result<json>& kept) {
    if (kept) {
      for (const auto& [key, value] : changed) known_->annotations[key] = value;
      known_->network_up = true;
    }
    ended(kept ? Status{} : Status(tl::unexpected(kept.error())), "write our Node's annotations");
  };
  json patch = json::object();
  if (!changed.empty()) patch["metadata"]["annotations"] = changed;
  if (!set_condition_ || known_->network_up) {
    call_ = client_.merge(nodes(), node_, patch, done, {.deadline = kOwnObjectCall, .metadata_only = true},
                          "status");
    return;
  }
  patch["status"] = network_up_status(utc_text(loop_.clock().now()));
  call_ = client_.strategic_merge(nodes(), node_, patch, done,
                                  {.deadline = kOwnObjectCall, .metadata_only = true}, "status");
}

bool OwnObjects::status_differs() const {
  return known_->object && !same_conditions(wanted_status_.conditions, known_->status.conditions);
}

void OwnObjects::write_status() {
  if (now() < status_not_before_) {
    step_after(status_not_before_ - now());
    return;
  }
  const auto done = [this, written = wanted_status_](const Result<json>& kept) {
    if (kept) known_->status = written;
    ended(kept ? Status{} : Status(tl::unexpected(kept.error())), "write our status");
  };
  status_not_before_ = now() + kStatusEvery;
  call_ = client_.merge(node_networks(), node_, {{"status", encode_node_network_status(wanted_status_)}},
                        done, {.deadline = kOwnObjectCall}, "status");
}

}  // namespace holdfast::flannel
