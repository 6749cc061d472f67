#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/csi/driver.h"
#include "common/staging/stage_requests.h"
#include "csi-lvm/volumes/local_volumes.h"

namespace csi::v1 {
class CapacityRange;
class CreateVolumeRequest;
class Snapshot;
class TopologyRequirement;
class ValidateVolumeCapabilitiesRequest;
class ValidateVolumeCapabilitiesResponse;
class Volume;
class VolumeCapability;
class VolumeContentSource;
}  // namespace csi::v1

/// What CSI's messages mean to csi-lvm.
namespace holdfast::lvm {

using staging::patience_of;

/// Whether a volume of ours can be used so: by one node, mounted as ext4, ext3 or xfs, or raw. Errors:
/// kInvalidArgument, saying what cannot be.
Status check_capability(const csi::v1::VolumeCapability& capability);

/// Whether the volume can be used so: with `files_only` (needs_files()) not as a raw device. Errors:
/// kFailedPrecondition.
Status check_raw_use(const std::string& id, bool files_only, const csi::v1::VolumeCapability& capability);

/// Confirms what is asked of a volume that is there, or says what of it cannot be.
void confirm(const csi::v1::ValidateVolumeCapabilitiesRequest& request, bool files_only,
             csi::v1::ValidateVolumeCapabilitiesResponse& response);

/// Whether a volume on this node can be reached from where it is asked for. Errors: kResourceExhausted, which
/// makes the scheduler choose another node.
Status check_topology(const csi::v1::TopologyRequirement& wanted, const std::string& key,
                      const std::string& node);

/// Errors: kInvalidArgument when it is neither a snapshot nor a volume.
Result<ContentSource> read_source(const csi::v1::VolumeContentSource& source);

void tell(const LocalVolume& volume, const std::string& topology_key, const std::string& node,
          csi::v1::Volume& into);
/// What of a volume's class its node has to know: which file system it makes, and how.
void tell_class(const csi::v1::CreateVolumeRequest& request, csi::v1::Volume& into);
void tell(const LocalVolume& snapshot, csi::v1::Snapshot& into);

/// One page of a list that is sorted by name.
struct Page {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string next_token;  ///< empty after the last page
};

/// Where a page begins and ends. A token names the last one of the page before; one that has gone meanwhile
/// is no harm. `most` 0: all. Errors: kAborted for a token that is none of ours.
Result<Page> page_of(const std::vector<LocalVolume>& sorted, std::int32_t most, const std::string& token);

}  // namespace holdfast::lvm
