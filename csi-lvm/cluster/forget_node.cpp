#include "csi-lvm/cluster/forget_node.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/text.h"
#include "csi-lvm/cluster/node_object.h"
#include "csi-lvm/cluster/storage_names.h"

namespace holdfast::lvm {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kOneCall{20};
constexpr std::size_t kLongestName = 256;

kube::CallOptions whole_object() { return {.kept = {"metadata", "spec", "status"}, .deadline = kOneCall}; }

std::string line_of(const LogicalVolumeObject& object) {
  std::string out = "  " + printable(object.spec.volume_name, kLongestName);
  out += object.is_snapshot() ? "  snapshot of " + printable(object.spec.source, kLongestName) : "  volume";
  out += ", " + std::to_string(object.status.size_bytes) + " bytes";
  if (object.status.state != VolumeState::kReady) return out + ": was not made, nothing is lost";
  return out + (object.status.published ? ": was used, its data are lost" : ": was not used");
}

}  // namespace

NodeForgetter::NodeForgetter(kube::ObjectClient& client, std::string node)
    : client_(client), node_(std::move(node)) {}

void NodeForgetter::look(Looked looked) {
  looked_ = std::move(looked);
  const std::string selector =
      "?labelSelector=" + kube::escape(std::string(kNodeLabel) + "=" + node_hash(node_));
  call_ = client_.get_document(logical_volumes().path() + selector,
                               [this](const Result<json>& list) { list_read(list); }, {.deadline = kOneCall});
}

void NodeForgetter::list_read(const Result<json>& list) {
  if (!list) return fail_with(list.error());
  const JsonObject document(&*list, "");
  const auto items = document["items"].array_or_empty();
  if (!items) return fail_with(items.error());
  for (const JsonField& item : *items) {
    const Result<JsonObject> object = item.object();
    Result<LogicalVolumeObject> volume =
        object ? decode_logical_volume(*object) : Result<LogicalVolumeObject>(tl::unexpected(object.error()));
    if (!volume) return fail_with(volume.error());
    if (volume->spec.node == node_) found_.volumes.push_back(*std::move(volume));
  }
  call_ = client_.get(
      node_storages(), node_, [this](const Result<json>& storage) { storage_read(storage); }, whole_object());
}

void NodeForgetter::storage_read(const Result<json>& storage) {
  if (!storage && storage.error().code != Code::kNotFound) return fail_with(storage.error());
  if (storage) {
    // One that cannot be read can be taken away all the same.
    Result<NodeStorageObject> decoded = decode_node_storage(JsonObject(&*storage, ""));
    found_.storage = decoded ? *std::move(decoded) : NodeStorageObject{};
  }
  call_ = client_.get(
      {.group = "", .version = "v1", .plural = "nodes"}, node_,
      [this](const Result<json>& node) { node_read(node); }, whole_object());
}

void NodeForgetter::node_read(const Result<json>& node) {
  call_.reset();
  if (!node && node.error().code != Code::kNotFound) return fail_with(node.error());
  if (node) {
    const Result<NodeObject> decoded = decode_node(JsonObject(&*node, ""));
    found_.may_live = !decoded || !decoded->out_of_service;
  }
  left_.assign(found_.volumes.begin(), found_.volumes.end());
  looked_(found_);
}

void NodeForgetter::fail_with(const Error& error) {
  call_.reset();
  if (done_) return done_(tl::unexpected(error));
  looked_(tl::unexpected(error));
}

void NodeForgetter::forget(Done done) {
  done_ = std::move(done);
  if (!found_.may_live) return next();
  fail_with({.code = Code::kFailedPrecondition,
             .sys_errno = 0,
             .message = "the Node " + node_ +
                        " is there and may come back: delete it, or taint it "
                        "node.kubernetes.io/out-of-service, when its disks are lost"});
}

void NodeForgetter::next() {
  if (left_.empty()) return remove_storage();
  const LogicalVolumeObject& object = left_.front();
  const auto removed = [this](const Result<json>& kept) {
    if (!kept && kept.error().code != Code::kNotFound) return fail_with(kept.error());
    drop_finalizer(left_.front());
  };
  call_ = client_.remove(logical_volumes(), object.id.name, object.id.uid, removed, {.deadline = kOneCall});
}

void NodeForgetter::drop_finalizer(const LogicalVolumeObject& object) {
  std::vector<std::string> finalizers = object.finalizers;
  std::erase(finalizers, kVolumeFinalizer);
  const auto dropped = [this](const Result<json>& kept) {
    if (!kept && kept.error().code != Code::kNotFound) return fail_with(kept.error());
    left_.pop_front();
    next();
  };
  call_ = client_.merge(logical_volumes(), object.id.name, {{"metadata", {{"finalizers", finalizers}}}},
                        dropped, {.deadline = kOneCall});
}

void NodeForgetter::remove_storage() {
  const std::string uid = found_.storage ? found_.storage->id.uid : "";
  const auto removed = [this](const Result<json>& kept) {
    call_.reset();
    if (!kept && kept.error().code != Code::kNotFound) return fail_with(kept.error());
    done_({});
  };
  call_ = client_.remove(node_storages(), node_, uid, removed, {.deadline = kOneCall});
}

std::string describe(const std::string& node, const LostNode& lost) {
  const std::string name = printable(node, kLongestName);
  if (lost.volumes.empty() && !lost.storage) return "nothing of csi-lvm is known of the node " + name + "\n";
  std::string out = name + " has " + std::to_string(lost.volumes.size()) + " volumes and snapshots\n";
  for (const LogicalVolumeObject& object : lost.volumes) out += line_of(object) + "\n";
  if (!lost.storage) return out;
  for (const Orphan& orphan : lost.storage->status.orphans) {
    out += "  " + printable(orphan.volume, kLongestName) + "  without an object, " +
           std::to_string(orphan.size_bytes) + " bytes: its data are lost\n";
  }
  return out;
}

}  // namespace holdfast::lvm
