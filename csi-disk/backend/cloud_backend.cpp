#include "csi-disk/backend/cloud_backend.h"

#include "csi-disk/backend/alibaba_disks.h"
#include "csi-disk/backend/tencent_disks.h"

namespace holdfast::disk {
namespace {

class AlibabaBackend final : public CloudBackend {
 public:
  AlibabaBackend(cloud::HttpClient& http, cloud::CredentialSource& credentials, Clock& clock,
                 const CloudPlace& place)
      : api_(http, credentials, clock,
             {.url = place.endpoint.empty() ? AlibabaDisks::url_of(place.region) : place.endpoint,
              .version = std::string(AlibabaDisks::kVersion)}),
        disks_(api_, place.region) {}
  [[nodiscard]] DiskBackend& disks() override { return disks_; }

 private:
  cloud::AlibabaApi api_;
  AlibabaDisks disks_;
};

cloud::Endpoint tencent_product(const CloudPlace& place, const char* product, std::string_view version) {
  return {.url = place.endpoint.empty() ? TencentDisks::url_of(product) : place.endpoint,
          .version = std::string(version),
          .region = place.region,
          .service = product};
}

class TencentBackend final : public CloudBackend {
 public:
  TencentBackend(cloud::HttpClient& http, cloud::CredentialSource& credentials, Clock& clock,
                 const CloudPlace& place)
      : cbs_(http, credentials, clock, tencent_product(place, "cbs", TencentDisks::kVersion)),
        cvm_(http, credentials, clock, tencent_product(place, "cvm", TencentDisks::kVersion)),
        tag_(http, credentials, clock, tencent_product(place, "tag", TencentDisks::kTagVersion)),
        disks_({.cbs = cbs_, .cvm = cvm_, .tag = tag_}, place.region, clock) {}
  [[nodiscard]] DiskBackend& disks() override { return disks_; }

 private:
  cloud::TencentApi cbs_;
  cloud::TencentApi cvm_;
  cloud::TencentApi tag_;
  TencentDisks disks_;
};

}  // namespace

std::unique_ptr<CloudBackend> make_alibaba(cloud::HttpClient& http, cloud::CredentialSource& credentials,
                                           Clock& clock, const CloudPlace& place) {
  return std::make_unique<AlibabaBackend>(http, credentials, clock, place);
}

std::unique_ptr<CloudBackend> make_tencent(cloud::HttpClient& http, cloud::CredentialSource& credentials,
                                           Clock& clock, const CloudPlace& place) {
  return std::make_unique<TencentBackend>(http, credentials, clock, place);
}

}  // namespace holdfast::disk
