#include "cni-flannel/daemon/own_objects.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "cni-flannel/daemon/watched_nodes.h"
#include "common/base/clock.h"

namespace holdfast::flannel {
namespace {

using nlohmann::json;
using std::chrono::nanoseconds;

constexpr std::chrono::seconds kFirstWait{2};
constexpr std::chrono::minutes kLongestWait{5};
constexpr std::chrono::milliseconds kOneCall{60'000};
constexpr const char* kNetworkCondition = "NetworkUnavailable";

/// Conditions are the same when nothing but times differs.
bool same_conditions(const std::vector<Condition>& a, const std::vector<Condition>& b) {
  return std::ranges::equal(a, b, [](const Condition& one, const Condition& other) {
    return one.type == other.type && one.status == other.status && one.reason == other.reason &&
           one.message == other.message;
  });
}

/// What we apply. The operator's fields stay the operator's.
json applied_object(NodeNetwork own) {
  own.public_ip_overwrite.reset();
  own.public_ipv6_overwrite.reset();
  NodeNetworkObject object;
  object.identity.name = own.node;
  object.network = std::move(own);
  return encode_node_network(object);
}

/// Whether `object` has all that `wanted` has.
bool holds(const json& object, const json& wanted) {
  if (!wanted.is_object() || !object.is_object()) return object == wanted;
  return std::ranges::all_of(wanted.items(), [&](const auto& member) {
    return object.contains(member.key()) && holds(object[member.key()], member.value());
  });
}

bool network_is_up(const JsonObject& node) {
  const auto status = node["status"].object_or_empty();
  if (!status) return false;
  const auto conditions = (*status)["conditions"].array_or_empty();
  if (!conditions) return false;
  return std::ranges::any_of(*conditions, [](const JsonField& field) {
    const auto condition = field.object();
    return condition && (*condition)["type"].string_or("").value_or("") == kNetworkCondition &&
           (*condition)["status"].string_or("").value_or("") == "False";
  });
}

}  // namespace

/// What the cluster has, as far as it was read; nullopt: it has none.
struct OwnObjects::Known {
  bool object_read = false;
  std::optional<NodeNetworkObject> object;
  NodeNetworkStatus status;
  std::optional<json> applied;  // last, by us, in this life
  nanoseconds applied_at{};
  bool node_read = false;
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
                  {.kept = {"apiVersion", "metadata.generation", "spec", "status"}, .deadline = kOneCall});
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
    known_->status = decode_node_network_status(fields).value_or(NodeNetworkStatus{});
    if (object) callbacks_.told(completed(*object));
  }
  ended({}, "");
}

void OwnObjects::read_node() {
  const auto done = [this](const Result<json>& read) { node_read(read); };
  call_ = client_.get(nodes(), node_, done,
                      {.kept = {"metadata.annotations", "spec.podCIDR", "spec.podCIDRs", "status.conditions"},
                       .deadline = kOneCall});
}

void OwnObjects::node_read(const Result<json>& read) {
  if (!read) return ended(tl::unexpected(read.error()), "read our Node");
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
  look_ = loop_.after(kLookAtNode, [this] {
    known_->node_read = false;
    step_after({});
  });
  ended(decoded ? Status{} : Status(tl::unexpected(decoded.error())), "our Node");
  if (known_->pod_cidrs.empty() && !(known_->object && !known_->object->network.pod_cidrs.empty())) {
    known_->node_read = false;  // its pod CIDRs are given soon
    step_after(kFirstWait + backoff_.next());
  }
}

bool OwnObjects::object_differs() const {
  if (!wanted_) return false;
  if (!known_->object) return true;
  const json wanted = applied_object(*wanted_);
  const json present = applied_object(known_->object->network);
  return !holds(present["spec"], wanted["spec"]) || (present != wanted && known_->applied != wanted);
}

void OwnObjects::apply_object() {
  json wanted = applied_object(*wanted_);
  const nanoseconds again_at = known_->applied_at + kRepeatApply;
  if (wanted == known_->applied && now() < again_at) return step_after(again_at - now());
  const auto done = [this, wanted](const Result<json>& kept) {
    if (kept) {
      known_->applied = wanted;
      known_->applied_at = now();
      const auto object = decode_node_network(JsonObject(&*kept, ""));
      if (object) known_->object = *object;
    }
    ended(kept ? Status{} : Status(tl::unexpected(kept.error())), "write our NodeNetworkConfiguration");
  };
  call_ = client_.apply(node_networks(), wanted, done,
                        {.kept = {"apiVersion", "metadata.generation", "spec"}, .deadline = kOneCall});
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
  const std::string time = utc_text(loop_.clock().now());
  patch["status"]["conditions"] = json::array({{{"type", kNetworkCondition},
                                                {"status", "False"},
                                                {"reason", "FlannelIsUp"},
                                                {"message", "Flannel is running on this node"},
                                                {"lastHeartbeatTime", time},
                                                {"lastTransitionTime", time}}});
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
