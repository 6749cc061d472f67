#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "csi-nas/controller/cloud_volumes.h"
#include "csi-nas/controller/nas_records.h"
#include "csi-nas/controller/places_taken.h"
#include "csi-nas/controller/share_access.h"
#include "csi-nas/controller/site_work.h"
#include "csi-nas/controller/volume_directories.h"
#include "csi-nas/directories/directory_jobs.h"

namespace holdfast::nas {

/// What a new volume is made of.
struct NasSourceVolume {
  std::string id;
  bool snapshot = false;
};

struct NewVolume {
  std::string name;
  std::uint64_t required_bytes = 0;
  std::uint64_t limit_bytes = 0;  ///< 0: none
  std::map<std::string, std::string> parameters = {};
  std::vector<std::string> mount_options = {};
  std::optional<NasSourceVolume> source = {};
  std::optional<std::set<std::string>> pools = {};  ///< where pods are to reach it; unset: anywhere
};

/// Volumes on NFS shares. A record is put before anything is made and removed when all of it is gone, so that
/// each call, made again after a kill anywhere, goes on; the directories themselves are ShareVolumes'.
///
///     none -> creating -> ready -> deleting (the record stays until the directory is gone) -> none
///
/// Volumes of a cloud (filesystem, accesspoint) are called by their names; CloudVolumes makes and removes
/// them, and one whose record was lost is left alone.
///
/// A subpath volume's id is its NasHandle where that tells all: the directory is called by the volume's name.
/// Else (another subDir, or a handle too long) it is hashed_handle() and needs its record. A volume whose
/// record was lost is archived when it is deleted, never removed.
///
/// A volume of a site (a node pool whose nodes alone reach its server) has its directory work done by them.
/// Its id is a hash: an address means another server elsewhere. The controller does not know whether its
/// server answers.
///
/// Whatever the servers of shares do, no call waits for them longer than kAccessPatience and kWorkPatience
/// together; how long records and sites may take is theirs to say (NasRecords, SiteWork).
/// Errors of all calls: kAborted while the work is under way; kUnavailable while the server is away.
/// Thread-safe, but for one volume at a time.
class NasVolumes {
 public:
  using Patience = std::chrono::milliseconds;
  static constexpr Patience kAccessPatience = VolumeDirectories::kAccessPatience;
  static constexpr Patience kWorkPatience = VolumeDirectories::kWorkPatience;

  /// All outlive it. Without `sites` classes with a site are refused, without `cloud` those of a cloud's
  /// volumes.
  NasVolumes(NasRecords& records, ShareAccess& access, DirectoryWork& work, Clock& clock,
             SiteWork* sites = nullptr, CloudVolumes* cloud = nullptr);

  /// The server is the next of the class's, in turn, that answers; a copy is made on its source's.
  /// Errors: kInvalidArgument of the class and the template, or a source on a share that is not the class's;
  /// kAlreadyExists for a volume of that name that is another, or of another class, or a directory that is
  /// not the volume's, or lies in one that is another's; kResourceExhausted when the class's site is none of
  /// the pools; kNotFound for the source; kOutOfRange when it is smaller than its source.
  Result<NasRecord> create(const NewVolume& wanted, Patience patience);
  /// What is not there is removed; a volume that is not ours is left alone and told as removed.
  Status remove(const std::string& id, Patience patience);
  /// A copy, ready when this returns. Errors: kNotFound for the volume, kAlreadyExists for a snapshot of that
  /// name of another; kInvalidArgument of a volume that has no directory of its own.
  Result<NasRecord> snapshot(const std::string& name, const std::string& volume, Patience patience);
  Status remove_snapshot(const std::string& id, Patience patience);
  /// Declares it larger, or has the cloud make it so. Errors: kNotFound; kOutOfRange when it is larger than
  /// the limit; of CloudVolumes.
  Result<std::uint64_t> extend(const std::string& id, std::uint64_t required_bytes,
                               std::uint64_t limit_bytes);

  /// Errors: kNotFound.
  [[nodiscard]] Result<NasRecord> find(const std::string& id) const;
  /// Volumes, or snapshots, that are ready, in the order of their ids.
  [[nodiscard]] std::vector<NasRecord> list(bool snapshots) const;
  /// Those on which there are volumes or snapshots, each once for each set of options; without those of
  /// sites and of a cloud.
  [[nodiscard]] std::vector<NasSource> shares() const;
  /// Whether that is of what there is. Errors: kUnavailable.
  [[nodiscard]] Status is_known() const;
  /// Why the volume cannot be used now; empty: nothing is known to be wrong. Does not wait.
  [[nodiscard]] std::string ailment_of(const NasRecord& record) const;

 private:
  Result<NasRecord> create_in_cloud(std::optional<NasRecord> known, const NewVolume& wanted,
                                    Patience patience);
  Result<CloudVolumes*> cloud() const;
  Result<NasRecord> begin(const NewVolume& wanted, const ClassParameters& parameters);
  Result<NasShare> choose(const ClassParameters& parameters, const NewVolume& wanted);
  Result<NasRecord> make(NasRecord record, const NewVolume& wanted, Patience patience);
  Status put_ready(NasRecord& record);
  Status copied_or_made(NasRecord& record, std::optional<mode_t> mode, Patience patience);
  Status remove_directory(NasRecord& record, Patience patience);
  Status abandon(const NasRecord& record, Patience patience);
  [[nodiscard]] Status check_site(const ClassParameters& parameters, const NewVolume& wanted) const;
  [[nodiscard]] Result<NasRecord> source_of(const NasRecord& record) const;

  NasRecords& records_;
  ShareAccess& access_;
  Clock& clock_;
  SiteWork* sites_;      // null: there are none
  CloudVolumes* cloud_;  // likewise
  VolumeDirectories directories_;
  PlacesTaken places_;
  std::atomic<std::size_t> turn_ = 0;  // whose of a class's shares is next
};

}  // namespace holdfast::nas
