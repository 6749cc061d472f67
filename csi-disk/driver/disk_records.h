#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/files.h"
#include "common/base/result.h"
#include "common/block/preparer.h"
#include "csi-disk/device/disk_identity.h"

namespace holdfast::disk {

/// What a node knows of a volume that was staged on it.
struct DiskRecord {
  std::string volume;     ///< its handle
  DiskIdentity identity;  ///< of its disk; of another disk none of this is true
  /// The attribute that the identity was read by, and is pinned for; empty: none.
  std::string device_path = {};
  bool raw = false;  ///< it was staged as a raw volume
  /// Provenance of the content: "formatting", "formatted:<uuid>"; "maybe" once pods may have changed it in
  /// ways that we do not see: of a raw volume, and after unstaging.
  std::string content = "maybe";
  /// The boot and the coming of the disk in which this was written, "<boot id>/<sequence>": as long as they
  /// are the same, the disk was nowhere else. Empty: the kernel does not say.
  std::string attached_as = {};
  bool operator==(const DiskRecord&) const = default;
};

/// What was read of one volume.
struct FoundRecord {
  std::optional<DiskRecord> record;
  /// There was one that cannot be read: nothing is known, least of all that the disk is new.
  bool damaged = false;
};

/// The records of a node.
///
///     <folder>/<sha256 of the handle, 32 digits>    as write_state() writes it: a JSON object {"volume",
///                                                   "serial", "wwn", "devicePath", "raw", "content",
///                                                   "attachedAs"}
///
/// Durable when a call returns. May be used from any thread; one volume at a time needs the caller's hold.
class DiskRecords {
 public:
  /// `files` outlives it. `folder` is there.
  DiskRecords(Files& files, std::filesystem::path folder) : files_(files), folder_(std::move(folder)) {}

  /// Errors: errno of a read that failed.
  [[nodiscard]] Result<FoundRecord> read(const std::string& volume) const;
  /// All that can be read, in no order.
  [[nodiscard]] Result<std::vector<DiskRecord>> all() const;
  Status write(const DiskRecord& record);
  Status remove(const std::string& volume);

 private:
  [[nodiscard]] std::filesystem::path path_of(const std::string& volume) const;
  [[nodiscard]] Result<FoundRecord> read_file(const std::filesystem::path& path) const;

  Files& files_;
  std::filesystem::path folder_;
};

/// Errors: kInvalidArgument, naming what is missing or wrong.
[[nodiscard]] Result<DiskRecord> parse_record(std::string_view text);

/// A volume's provenance, in its record.
class ContentRecord final : public block::ProvenanceRecord {
 public:
  /// Both outlive it.
  ContentRecord(DiskRecords& records, DiskRecord& record) : records_(records), record_(record) {}
  Status write(const block::Provenance& provenance) override;

 private:
  DiskRecords& records_;
  DiskRecord& record_;
};

}  // namespace holdfast::disk
