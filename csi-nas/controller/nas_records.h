#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/files.h"
#include "common/base/result.h"
#include "csi-nas/controller/class_parameters.h"

namespace holdfast::nas {

/// What the controller knows of a volume or snapshot that it made.
struct NasRecord {
  enum class Kind : std::uint8_t { kSubpath, kSharepath, kSnapshot, kFilesystem, kAccesspoint };
  Kind kind = Kind::kSubpath;
  std::string id = {};    ///< what CSI calls it by
  std::string name = {};  ///< what it was asked for by
  /// How its share is mounted: server, path, vers, options; and mountOptions. Of a cloud's volume what was
  /// made of it (CloudVolumes), and where it is mounted when that is known.
  NasAttributes attributes = {};
  std::vector<std::string> mount_options = {};
  std::string directory = {};  ///< of the share; kSnapshot: the snapshot's name
  std::string site = {};       ///< a node pool whose nodes alone reach the server; empty: the controller does
  std::uint64_t bytes = 0;     ///< a declaration; NFS bounds nothing
  OnDelete on_delete = OnDelete::kArchive;
  std::string source = {};   ///< what it was copied from, by id; empty: nothing
  bool of_snapshot = false;  ///< `source` is a snapshot
  std::int64_t made = 0;     ///< seconds since 1970
  bool ready = false;        ///< false: the work on it has begun, and may be half done
  bool deleting = false;     ///< what there is of it goes: nothing is made of it, nor is it told of
  std::string version = {};  ///< the state that was read or put last; empty: it was never kept
  bool operator==(const NasRecord&) const = default;
};

/// Whether the volume is made by a cloud's API.
[[nodiscard]] constexpr bool is_of_cloud(NasRecord::Kind kind) {
  return kind == NasRecord::Kind::kFilesystem || kind == NasRecord::Kind::kAccesspoint;
}

/// The records of a controller, kept before anything is made and until all of it is gone. Thread-safe; calls
/// may wait for an API server, but for list() and is_known().
///
/// Errors of all: kUnavailable when the records cannot be asked; kAborted when another controller has changed
/// one since it was read: to be read again.
class NasRecords {
 public:
  NasRecords() = default;
  NasRecords(const NasRecords&) = delete;
  NasRecords& operator=(const NasRecords&) = delete;
  virtual ~NasRecords() = default;

  /// Durable when it returns, and the record has its new version; replaces the one of that id and version.
  virtual Status put(NasRecord& record) = 0;
  /// One that is not there is removed.
  virtual Status remove(const NasRecord& record) = 0;
  [[nodiscard]] virtual Result<std::optional<NasRecord>> by_id(const std::string& id) const = 0;
  /// Snapshots have names of their own.
  [[nodiscard]] virtual Result<std::optional<NasRecord>> by_name(const std::string& name,
                                                                 bool snapshot) const = 0;
  /// All volumes, or all snapshots, in the order of their ids; they may be somewhat behind.
  [[nodiscard]] virtual std::vector<NasRecord> list(bool snapshots) const = 0;
  /// Whether list() is of what there is.
  [[nodiscard]] virtual bool is_known() const { return true; }
};

/// For a controller without a cluster: a file each, in a folder that nobody else uses.
///
///     <folder>/<hash of the id>      state_file.h, kind "nas-volume"; JSON
class FileRecords final : public NasRecords {
 public:
  /// Reads all that are there; a damaged one is left out and told in `notes`. `files` outlives it.
  /// Errors: errno of the folder and of reads.
  [[nodiscard]] static Result<std::unique_ptr<FileRecords>> open(Files& files, std::filesystem::path folder,
                                                                 std::vector<std::string>& notes);

  Status put(NasRecord& record) override;
  Status remove(const NasRecord& record) override;
  [[nodiscard]] Result<std::optional<NasRecord>> by_id(const std::string& id) const override;
  [[nodiscard]] Result<std::optional<NasRecord>> by_name(const std::string& name,
                                                         bool snapshot) const override;
  [[nodiscard]] std::vector<NasRecord> list(bool snapshots) const override;

 private:
  FileRecords(Files& files, std::filesystem::path folder) : files_(files), folder_(std::move(folder)) {}
  [[nodiscard]] std::filesystem::path path_of(const std::string& id) const;

  Files& files_;
  const std::filesystem::path folder_;
  mutable std::mutex mutex_;                  // guards records_ and the files
  std::map<std::string, NasRecord> records_;  // by id
};

}  // namespace holdfast::nas
