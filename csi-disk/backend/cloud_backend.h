#pragma once

#include <memory>
#include <string>

#include "common/base/clock.h"
#include "common/cloud/credentials.h"
#include "common/cloud/http_client.h"
#include "csi-disk/backend/disk_backend.h"

namespace holdfast::disk {

/// A cloud's disks with the APIs that they are called by.
class CloudBackend {
 public:
  CloudBackend() = default;
  CloudBackend(const CloudBackend&) = delete;
  CloudBackend& operator=(const CloudBackend&) = delete;
  virtual ~CloudBackend() = default;
  [[nodiscard]] virtual DiskBackend& disks() = 0;
};

struct CloudPlace {
  std::string region;         ///< "cn-beijing", "ap-beijing"
  std::string endpoint = {};  ///< for all APIs of the cloud; empty: the cloud's own of each product
};

/// Those of Alibaba Cloud and of Tencent Cloud. All outlive what they make.
[[nodiscard]] std::unique_ptr<CloudBackend> make_alibaba(cloud::HttpClient& http,
                                                         cloud::CredentialSource& credentials, Clock& clock,
                                                         const CloudPlace& place);
[[nodiscard]] std::unique_ptr<CloudBackend> make_tencent(cloud::HttpClient& http,
                                                         cloud::CredentialSource& credentials, Clock& clock,
                                                         const CloudPlace& place);

}  // namespace holdfast::disk
