#pragma once

#include <memory>

#include "common/cloud/api.h"
#include "common/cloud/options.h"
#include "common/csi/driver_host.h"
#include "csi-nas/backend/alibaba_nas.h"
#include "csi-nas/controller/cloud_volumes.h"

namespace holdfast::nas {

/// The cloud whose file systems and access points are volumes, and what calls it.
class CloudSide {
 public:
  /// `context` and `records` outlive it; the options name a region.
  CloudSide(const csi::HostContext& context, const cloud::CloudOptions& options, NasRecords& records);
  CloudSide(const CloudSide&) = delete;
  CloudSide& operator=(const CloudSide&) = delete;
  ~CloudSide() = default;

  [[nodiscard]] CloudVolumes& volumes() { return volumes_; }

 private:
  cloud::CurlClient http_;
  std::unique_ptr<cloud::CredentialSource> credentials_;
  cloud::AlibabaApi api_;
  AlibabaNas backend_;
  CloudVolumes volumes_;
};

}  // namespace holdfast::nas
