#include "csi-lvm/cluster/volume_object.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "common/base/sha.h"
#include "csi-lvm/cluster/storage_names.h"
#include "csi-lvm/lvm/lvm_command.h"
#include "csi-lvm/volumes/local_volume.h"

namespace holdfast::lvm {
namespace {

using nlohmann::json;

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t kNodeHashDigits = 12;
constexpr std::size_t kVolumeHashDigits = 40;
constexpr std::size_t kLongestName = 253;
constexpr const char* kSnapshotWord = "snapshot";
constexpr const char* kVolumeWord = "volume";
constexpr const char* kReadyWord = "ready";
constexpr const char* kRefusedWord = "refused";

// Without dots: the hash follows the only one.
bool begins_a_name(std::string_view volume) {
  return volume.size() + 1 + kNodeHashDigits <= kLongestName && kube::is_name_part(volume);
}

Result<std::uint64_t> bytes_at(const JsonField& field) {
  HOLDFAST_TRY(const std::int64_t count, field.integer_or(0, 0, kMax));
  return static_cast<std::uint64_t>(count);
}

Result<VolumeKind> kind_at(const JsonField& field) {
  HOLDFAST_TRY(const std::string word, field.string_or(kVolumeWord));
  if (word == kVolumeWord) return VolumeKind::kVolume;
  if (word == kSnapshotWord) return VolumeKind::kSnapshot;
  return field.refuse("is neither volume nor snapshot");
}

Result<VolumeState> state_at(const JsonField& field) {
  HOLDFAST_TRY(const std::string word, field.string_or(""));
  if (word.empty()) return VolumeState::kPending;
  if (word == kReadyWord) return VolumeState::kReady;
  if (word == kRefusedWord) return VolumeState::kRefused;
  return field.refuse("is neither ready nor refused");
}

Result<LogicalVolumeSpec> decode_spec(const JsonObject& object) {
  LogicalVolumeSpec spec;
  HOLDFAST_TRY(spec.kind, kind_at(object["kind"]));
  const JsonField node = object["node"];
  HOLDFAST_TRY(spec.node, node.string());
  if (spec.node.empty()) return node.refuse("names no node");
  const JsonField name = object["volumeName"];
  HOLDFAST_TRY(spec.volume_name, name.string());
  if (!check_name(spec.volume_name)) return name.refuse("is no name that LVM would take");
  HOLDFAST_TRY(spec.asked_name, object["askedName"].string_or(""));
  if (!spec.asked_name.empty() && lv_name_of(spec.asked_name) != spec.volume_name) {
    return object["askedName"].refuse("is not what makes the name " + spec.volume_name);
  }
  HOLDFAST_TRY(const JsonObject parameters, object["parameters"].object_or_empty());
  for (const std::string& key : parameters.keys()) {
    HOLDFAST_TRY(spec.parameters[key], parameters[key].string());
  }
  HOLDFAST_TRY(spec.required_bytes, bytes_at(object["requiredBytes"]));
  HOLDFAST_TRY(spec.limit_bytes, bytes_at(object["limitBytes"]));
  HOLDFAST_TRY(spec.block, object["block"].boolean_or(false));
  HOLDFAST_TRY(spec.source, object["source"].string_or(""));
  HOLDFAST_TRY(spec.source_kind, kind_at(object["sourceKind"]));
  HOLDFAST_TRY(spec.reclaim, object["reclaim"].boolean_or(false));
  return spec;
}

Result<LogicalVolumeStatus> decode_status(const JsonObject& object) {
  LogicalVolumeStatus status;
  HOLDFAST_TRY(status.state, state_at(object["state"]));
  HOLDFAST_TRY(status.group, object["vg"].string_or(""));
  HOLDFAST_TRY(status.size_bytes, bytes_at(object["sizeBytes"]));
  HOLDFAST_TRY(status.taken, object["takenTime"].integer_or(0, 0, kMax));
  HOLDFAST_TRY(status.published, object["published"].boolean_or(false));
  const JsonField code = object["code"];
  HOLDFAST_TRY(const std::string word, code.string_or(""));
  if (!word.empty()) {
    const std::optional<Code> known = kube::parse_code(word);
    if (!known) return code.refuse("is no code of gRPC");
    status.code = *known;
  }
  HOLDFAST_TRY(status.message, object["message"].string_or(""));
  HOLDFAST_TRY(status.abnormal, object["abnormal"].string_or(""));
  HOLDFAST_TRY(status.observed_generation, object["observedGeneration"].integer_or(0, 0, kMax));
  return status;
}

json text_or_null(const std::string& text) { return text.empty() ? json() : json(text); }

const char* kind_word(VolumeKind kind) { return kind == VolumeKind::kSnapshot ? kSnapshotWord : kVolumeWord; }

json state_word(VolumeState state) {
  if (state == VolumeState::kPending) return nullptr;
  return state == VolumeState::kReady ? kReadyWord : kRefusedWord;
}

}  // namespace

std::string node_hash(std::string_view node) { return sha512_hex(node).substr(0, kNodeHashDigits); }

std::string object_name(std::string_view volume, std::string_view node) {
  std::string name =
      begins_a_name(volume) ? std::string(volume) : "v-" + sha512_hex(volume).substr(0, kVolumeHashDigits);
  name += '.';
  name += node_hash(node);
  return name;
}

void LogicalVolumeSpec::call(const std::string& name) {
  volume_name = lv_name_of(name);
  asked_name = volume_name == name ? "" : name;
}

bool LogicalVolumeObject::has_finalizer() const {
  return std::ranges::find(finalizers, kVolumeFinalizer) != finalizers.end();
}

kube::KeptFields logical_volume_fields() {
  return {"metadata.generation", "metadata.deletionTimestamp", "metadata.finalizers", "spec", "status"};
}

Result<LogicalVolumeObject> decode_logical_volume(const JsonObject& object) {
  LogicalVolumeObject out;
  HOLDFAST_TRY(const JsonObject metadata, object["metadata"].object());
  HOLDFAST_TRY(out.id.name, metadata["name"].string());
  HOLDFAST_TRY(out.id.uid, metadata["uid"].string_or(""));
  HOLDFAST_TRY(out.id.resource_version, metadata["resourceVersion"].string_or(""));
  HOLDFAST_TRY(out.generation, metadata["generation"].integer_or(0, 0, kMax));
  HOLDFAST_TRY(const std::string deleted, metadata["deletionTimestamp"].string_or(""));
  out.deleting = !deleted.empty();
  HOLDFAST_TRY(out.finalizers, metadata["finalizers"].strings_or_empty());
  HOLDFAST_TRY(const JsonObject spec, object["spec"].object());
  HOLDFAST_TRY(out.spec, decode_spec(spec));
  HOLDFAST_TRY(const JsonObject status, object["status"].object_or_empty());
  HOLDFAST_TRY(out.status, decode_status(status));
  return out;
}

json encode_logical_volume(const LogicalVolumeSpec& spec) {
  json out{{"kind", kind_word(spec.kind)},
           {"node", spec.node},
           {"volumeName", spec.volume_name},
           {"requiredBytes", spec.required_bytes}};
  if (!spec.asked_name.empty()) out["askedName"] = spec.asked_name;
  if (!spec.parameters.empty()) out["parameters"] = spec.parameters;
  if (spec.limit_bytes > 0) out["limitBytes"] = spec.limit_bytes;
  if (spec.block) out["block"] = true;
  if (!spec.source.empty()) {
    out["source"] = spec.source;
    out["sourceKind"] = kind_word(spec.source_kind);
  }
  if (spec.reclaim) out["reclaim"] = true;
  return {{"apiVersion", kStorageApiVersion},
          {"kind", kLogicalVolumeKind},
          {"metadata",
           {{"name", object_name(spec.volume_name, spec.node)},
            {"labels", {{kNodeLabel, node_hash(spec.node)}}},
            {"finalizers", json::array({kVolumeFinalizer})}}},
          {"spec", std::move(out)}};
}

json encode_status(const LogicalVolumeStatus& status) {
  return {
      {"state", state_word(status.state)},
      {"vg", text_or_null(status.group)},
      {"sizeBytes", status.size_bytes == 0 ? json() : json(status.size_bytes)},
      {"takenTime", status.taken == 0 ? json() : json(status.taken)},
      {"published", status.published ? json(true) : json()},
      {"code", status.code ? json(to_string(*status.code)) : json()},
      {"message", text_or_null(status.message)},
      {"abnormal", text_or_null(status.abnormal)},
      {"observedGeneration", status.observed_generation == 0 ? json() : json(status.observed_generation)}};
}

}  // namespace holdfast::lvm
