#include "common/staging/ailments.h"

#include "common/csi/proto/csi.pb.h"

namespace holdfast::staging {
namespace {

constexpr Ailment::Kind kGone = Ailment::Kind::kInaccessible;
constexpr Ailment::Kind kWorse = Ailment::Kind::kDegraded;

csi::v1::VolumeHealthErrorType status_of(Ailment::Kind kind) {
  if (kind == Ailment::Kind::kDataLoss) return csi::v1::DATA_LOSS;
  return kind == kGone ? csi::v1::INACCESSIBLE : csi::v1::DEGRADED;
}

}  // namespace

Ailments ailments_of(const VolumeSigns& signs) {
  Ailments found;
  if (signs.broken_mount) {
    found.push_back({kGone, "DeviceGone", "the volume is mounted, and its device is gone"});
  }
  if (!signs.trouble.empty()) found.push_back({kGone, "NoAnswer", signs.trouble});
  if (signs.turned_read_only) {
    found.push_back(
        {kWorse, "ReadOnly",
         "the file system has made itself read-only after an error; the kernel's log tells more"});
  }
  if (signs.io_errors > 0) {
    found.push_back({kWorse, "Errors",
                     "the file system has met " + std::to_string(signs.io_errors) +
                         " errors; stage the volume anew to have it checked"});
  }
  return found;
}

void tell(const Ailments& ailments, csi::v1::VolumeCondition& into) {
  into.set_abnormal(!ailments.empty());
  std::string message = ailments.empty() ? "nothing is known to be wrong" : "";
  for (const Ailment& each : ailments) message.append(message.empty() ? "" : "; ").append(each.message);
  into.set_message(message);
}

void tell(const std::string& volume_id, const Ailments& ailments, csi::v1::VolumeHealth& into) {
  into.set_volume_id(volume_id);
  for (const Ailment& each : ailments) {
    auto& entry = *into.add_health_statuses();
    entry.set_status(status_of(each.kind));
    entry.set_reason(each.reason);
    entry.set_message(each.message);
  }
}

}  // namespace holdfast::staging
