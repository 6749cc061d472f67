#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/json.h"
#include "common/base/result.h"
#include "common/kube/object.h"

/// A volume or snapshot that a node is asked for, as an object, cluster-scoped:
///
///     apiVersion: storage.holdfast.dev/v1alpha1
///     kind: LogicalVolume
///     metadata: {name: <volume>.<hash(node)>, labels: {storage.holdfast.dev/node: <hash(node)>}, finalizers}
///     spec:                              written by the controller
///       kind                "volume" | "snapshot"
///       node                whose it is
///       volumeName          the volume id, and the name of the LV
///       askedName           the name that it was asked for by, where LVM has another: lv_name_of() may make
///                           one of two
///       parameters          those of the StorageClass or VolumeSnapshotClass
///       requiredBytes       may be raised: the volume is then to grow
///       limitBytes          absent: none
///       block               true: for raw access
///       source, sourceKind  the volume or snapshot that it is made from, and which of the two that is
///       reclaim             true: DeleteVolume was called, so that the content may go although it was used
///     status:                            written by the node
///       state               absent (not done) | "ready" | "refused" (and nothing was left of it)
///       vg, sizeBytes       of one that is ready
///       takenTime           of a snapshot, seconds since 1970
///       published           true: it was given to a pod, at some time
///       code, message       what went wrong last, as gRPC names it
///       abnormal            what is wrong with a volume that is there
///       observedGeneration  of the spec that code and message answer
namespace holdfast::lvm {

enum class VolumeKind : std::uint8_t { kVolume, kSnapshot };
enum class VolumeState : std::uint8_t { kPending, kReady, kRefused };

struct LogicalVolumeSpec {
  VolumeKind kind = VolumeKind::kVolume;
  std::string node{};
  std::string volume_name{};
  std::string asked_name{};
  std::map<std::string, std::string> parameters{};
  std::uint64_t required_bytes = 0;
  std::uint64_t limit_bytes = 0;
  bool block = false;
  std::string source{};
  VolumeKind source_kind = VolumeKind::kVolume;
  bool reclaim = false;

  /// The name that it was asked for by.
  [[nodiscard]] const std::string& name() const { return asked_name.empty() ? volume_name : asked_name; }
  /// Sets both of its names.
  void call(const std::string& name);
  bool operator==(const LogicalVolumeSpec&) const = default;
};

struct LogicalVolumeStatus {
  VolumeState state = VolumeState::kPending;
  std::string group{};
  std::uint64_t size_bytes = 0;
  std::int64_t taken = 0;
  bool published = false;
  std::optional<Code> code{};
  std::string message{};
  std::string abnormal{};
  std::int64_t observed_generation = 0;

  bool operator==(const LogicalVolumeStatus&) const = default;
};

struct LogicalVolumeObject {
  kube::ObjectId id{};
  std::int64_t generation = 0;
  bool deleting = false;  ///< it has a deletionTimestamp
  std::vector<std::string> finalizers{};
  LogicalVolumeSpec spec{};
  LogicalVolumeStatus status{};

  [[nodiscard]] bool has_finalizer() const;
  [[nodiscard]] bool is_snapshot() const { return spec.kind == VolumeKind::kSnapshot; }
  bool operator==(const LogicalVolumeObject&) const = default;
};

/// What of an object is kept for decode_logical_volume().
[[nodiscard]] kube::KeptFields logical_volume_fields();

/// Errors: kInvalidArgument, naming the member and the value; also for a volume's name that LVM would not
/// take, or that is not the one for the name that was asked for. A member that is not known is skipped.
[[nodiscard]] Result<LogicalVolumeObject> decode_logical_volume(const JsonObject& object);

/// A new object, under its name and with its finalizer; without status, which a server drops from it.
[[nodiscard]] nlohmann::json encode_logical_volume(const LogicalVolumeSpec& spec);
/// The whole status as a merge patch of it: what is unset is null, and so taken away.
[[nodiscard]] nlohmann::json encode_status(const LogicalVolumeStatus& status);

}  // namespace holdfast::lvm
