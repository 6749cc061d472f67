#include "cni-flannel/daemon/own_objects.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "cni-flannel/daemon/own_documents.h"
#include "cni-flannel/daemon/watched_nodes.h"
#include "common/base/clock.h"

namespace holdfast::flannel {
namespace {

using nlohmann::json;
using std::chrono::nanoseconds;

constexpr std::chrono::seconds kFirstWait{2};
constexpr std::chrono::minutes kLongestWait{5};
constexpr std::chrono::milliseconds kOneCall{60'000};

}  // namespace

/// What the cluster has, as far as it was read; nullopt: it has none.
struct OwnObjects::Known {
  bool object_read = false;
  std::optional<NodeNetworkObject> object;
  NodeNetworkStatus status;
  std::optional<json> applied;  // last, by us, in this life
  nanoseconds applied_at{};
  std::string leased_uid;  // life of the Node that the object's pod CIDRs are for; empty: not told
  bool node_read = false;
  bool whole_node_needed = false;  // its metadata did not tell what is needed
  std::string node_uid;
  Annotations annotations;
  bool network_up = false;
  std::vector<Cidr> pod_cidrs;  // of the Node
};

OwnObjects::OwnObjects(EventLoop& loop, kube::ObjectClient& client, std::string node, AnnotationKeys keys,
                       bool set_condition, Callbacks callbacks, std::uint64_t seed)
    : loop_(loop),
      client_(client),
      node_(std::move(node)),
      keys_(std::move(keys)),
      set_condition_(set_condition),
      callbacks_(std::move(callbacks)),
      backoff_(kFirstWait, kLongestWait, seed),
      known_(std::make_unique<Known>()) {}

OwnObjects::~OwnObjects() = default;

void OwnObjects::start(std::chrono::milliseconds settles) {
  if (std::exchange(started_, true)) return;
  status_not_before_ = now() + settles;
  step_after({});
}

void OwnObjects::set_watched(bool watched) {
  watched_ = watched;
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
  if (!known_->node_read) return watched_ ? nullptr : &OwnObjects::read_node;
  if (!wanted_ || wanted_->pod_cidrs.empty()) return nullptr;
  if (uses_object_ && object_differs()) return &OwnObjects::apply_object;
  if (node_differs()) return &OwnObjects::patch_node;
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
    step_after(kFirstWait + backoff_.next());
  }
}

void OwnObjects::read_object() {
  const auto done = [this](Result<json> read) { object_read(std::move(read)); };
  call_ =
      client_.get(node_networks(), node_, done,
                  {.kept = {"apiVersion", "metadata.annotations", "metadata.generation", "spec", "status"},
                   .deadline = kOneCall});
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
  }
  ended({}, "");
}

/// Of a Node that is the same as when our object was written its metadata is enough: it never gets other pod
/// CIDRs, and the rest of it is some 10 kB.
bool OwnObjects::knows_pod_cidrs() const {
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
                       .deadline = kOneCall,
                       .metadata_only = metadata_only});
}

void OwnObjects::node_metadata_read(const Result<json>& read) {
  if (!read) return ended(tl::unexpected(read.error()), "read our Node's metadata");
  const JsonObject fields(&*read, "");
  const auto identity = decode_identity(fields);
  if (!identity || identity->uid != known_->leased_uid) {
    known_->whole_node_needed = true;
    return ended({}, "");
  }
  node_told(fields);
  known_->network_up = true;  // since we wrote our annotations
  known_->pod_cidrs = wanted_->pod_cidrs;
  callbacks_.told(completed(*known_->object));
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
    step_after(kFirstWait + backoff_.next());
  }
}

void OwnObjects::look_at_node_later() {
  look_ = loop_.after(kLookAtNode, [this] {
    known_->node_read = false;
    step_after({});
  });
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
  call_ = client_.apply(
      node_networks(), wanted, done,
      {.kept = {"apiVersion", "metadata.annotations", "metadata.generation", "spec"}, .deadline = kOneCall});
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
    call_ =
        client_.merge(nodes(), node_, patch, done, {.deadline = kOneCall, .metadata_only = true}, "status");
    return;
  }
  patch["status"] = network_up_status(utc_text(loop_.clock().now()));
  call_ = client_.strategic_merge(nodes(), node_, patch, done, {.deadline = kOneCall, .metadata_only = true},
                                  "status");
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
                        done, {.deadline = kOneCall}, "status");
}

}  // namespace holdfast::flannel
