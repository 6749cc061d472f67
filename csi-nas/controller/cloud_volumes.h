#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "csi-nas/backend/nas_backend.h"
#include "csi-nas/controller/cloud_class.h"
#include "csi-nas/controller/nas_records.h"

namespace holdfast::nas {

/// Volumes that are file systems or access points of a cloud. What was made is in the record's attributes,
/// which nodes get too:
///
///     volumeAs        filesystem | accesspoint
///     description     the file system's label: the volume's name, and a word of the record's own
///     fileSystemId    from when it is known
///     fileSystemType, deleteVolume, volumeCapacity   as the class says
///     accesspoint     the directory
///     server, path    where it is mounted, when it is ready
///
/// The record is put before anything is made. When a call's outcome is not known, or we are killed in it, the
/// next one looks for what is there (by label or name) before it makes anything; file systems have a token as
/// well. What the cloud refuses for good is answered so when what was made before it has been taken back.
///
/// Errors of all calls: kAborted while something is under way or may be left, kUnavailable when the cloud was
/// not reached or throttles; else as cloud::to_error(). Thread-safe, but for one volume at a time.
class CloudVolumes {
 public:
  using Patience = std::chrono::milliseconds;
  /// Between two looks at something that the cloud is still making.
  static constexpr Patience kLook{300};

  /// All outlive it.
  CloudVolumes(NasRecords& records, NasBackend& backend, std::string region, Clock& clock)
      : records_(records), backend_(backend), region_(std::move(region)), clock_(clock) {}

  /// What is asked of the cloud by such a class. Errors: kInvalidArgument.
  [[nodiscard]] Result<CloudClass> parse(VolumeAs what,
                                         const std::map<std::string, std::string>& parameters) const {
    return parse_cloud_class(what, parameters, region_);
  }
  /// Makes the volume of the record, which may be one that was kept before. `limit_bytes` 0: none. Errors:
  /// kOutOfRange when whole GiB go beyond it.
  Result<NasRecord> create(NasRecord record, const CloudClass& wanted, std::uint64_t limit_bytes,
                           Patience patience);
  /// Takes back what it is, as far as its class says so, and the record with it. The directory of an access
  /// point stays in its file system.
  Status remove(const NasRecord& record, Patience patience);
  /// An extreme file system, or an access point's quota; of others it is a declaration. The new size.
  Result<std::uint64_t> extend(NasRecord record, std::uint64_t required_bytes, std::uint64_t limit_bytes,
                               Patience patience);

 private:
  class Budget;
  Status keep(NasRecord& record);
  Status make_file_system(NasRecord& record, const CloudClass& wanted, bool again, const Budget& budget);
  Status make_mount_target(NasRecord& record, const CloudClass& wanted, const Budget& budget);
  Status make_access_point(NasRecord& record, const CloudClass& wanted, bool again, const Budget& budget);
  Result<std::string> active_target(const NasRecord& record, const CloudClass& wanted, const Budget& budget);
  Result<AccessPoint> active_point(const NasRecord& record, const CloudClass& wanted, bool again,
                                   const Budget& budget);
  Status set_quota(NasRecord& record, const Budget& budget);
  Status failed(const NasRecord& record, cloud::CallError error, const Budget& budget);
  Status take_back(const NasRecord& record, const Budget& budget);
  Status take_back_file_system(const NasRecord& record, const Budget& budget);
  Status take_back_point(const NasRecord& record, const Budget& budget);
  cloud::Answer<std::vector<AccessPoint>> points_of(const NasRecord& record, const Budget& budget);

  NasRecords& records_;
  NasBackend& backend_;
  const std::string region_;
  Clock& clock_;
};

}  // namespace holdfast::nas
