#include "csi-disk/sim/trouble_codes.h"

#include <algorithm>
#include <array>

namespace holdfast::disk {
namespace {

constexpr int kBadRequest = 400;
constexpr int kForbidden = 403;
constexpr int kNotFound = 404;

struct Codes {
  Trouble trouble;
  int status;  // Alibaba's; Tencent answers all with 200
  const char* alibaba;
  const char* tencent;
  const char* message;
};

constexpr std::array kCodes{
    Codes{Trouble::kNoDisk, kNotFound, "InvalidDiskId.NotFound", "InvalidDiskId.NotFound",
          "The specified disk does not exist."},
    Codes{Trouble::kNoNode, kNotFound, "InvalidInstanceId.NotFound", "InvalidInstanceId.NotFound",
          "The specified instance does not exist."},
    Codes{Trouble::kNoSnapshot, kNotFound, "InvalidSnapshotId.NotFound", "InvalidSnapshotId.NotFound",
          "The specified snapshot does not exist."},
    Codes{Trouble::kNoZone, kBadRequest, "InvalidZoneId.Malformed", "InvalidParameterValue",
          "The region has no such zone."},
    Codes{Trouble::kNoType, kForbidden, "InvalidDiskCategory.NotSupported",
          "InvalidParameter.DiskConfigNotSupported", "The zone has no disks of that type."},
    Codes{Trouble::kNoSize, kBadRequest, "InvalidDiskSize.NotSupported", "InvalidParameter.DiskSizeNotMatch",
          "The type has no disks of that size."},
    Codes{Trouble::kNoLevel, kForbidden, "OperationDenied.PerformanceLevelNotMatch",
          "InvalidParameterValue.LimitExceeded", "Such a disk cannot be that fast."},
    Codes{Trouble::kSoldOut, kForbidden, "OperationDenied.NoStock", "ResourceInsufficient",
          "The zone is out of such disks."},
    Codes{Trouble::kQuota, kForbidden, "QuotaExceed.DiskCapacity", "LimitExceeded",
          "The account has all the disks that it may have."},
    Codes{Trouble::kArrears, kForbidden, "InvalidAccountStatus.NotEnoughBalance",
          "InvalidAccount.InsufficientBalance", "The account is not paid."},
    Codes{Trouble::kState, kForbidden, "IncorrectDiskStatus", "InvalidDisk.Busy",
          "The state of the disk does not allow this."},
    Codes{Trouble::kNotHere, kNotFound, "InvalidDisk.AlreadyDetached", "ResourceUnavailable.Unattached",
          "The disk is not attached to the instance."},
    Codes{Trouble::kLeaving, kForbidden, "InvalidOperation.DiskDetachingFromThisEcs", "InvalidDisk.Busy",
          "The disk is being detached."},
    Codes{Trouble::kNodeFull, kForbidden, "InstanceDiskLimitExceeded", "LimitExceeded.InstanceAttachedDisk",
          "The instance has all the disks that it may have."},
    Codes{Trouble::kFarAway, kForbidden, "ResourcesNotInSameZone", "ResourceUnavailable.ZoneNotMatch",
          "Instance and disk are of different zones."},
    Codes{Trouble::kCutting, kForbidden, "DiskCreatingSnapshot", "InvalidDisk.SnapshotCreating",
          "A snapshot of the disk is being made."},
    Codes{Trouble::kFeeding, kForbidden, "SnapshotCreatedDisk", "ResourceBusy",
          "A disk is being made from the snapshot."},
    Codes{Trouble::kShrinks, kForbidden, "InvalidDiskSize.TooSmall", "InvalidParameterValue",
          "The disk is not smaller than that."},
    Codes{Trouble::kBadParameter, kBadRequest, "InvalidParameter", "InvalidParameter",
          "A parameter is not valid."},
};

const Codes& codes_of(Trouble trouble) {
  return *std::ranges::find(kCodes, trouble, &Codes::trouble);  // there is one for each
}

}  // namespace

cloud::sim::Failure alibaba_failure(Trouble trouble) {
  const Codes& codes = codes_of(trouble);
  return {codes.status, codes.alibaba, codes.message};
}

cloud::sim::Failure tencent_failure(Trouble trouble) {
  const Codes& codes = codes_of(trouble);
  return {codes.status, codes.tencent, codes.message};
}

}  // namespace holdfast::disk
