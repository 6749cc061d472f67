#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "csi-disk/backend/alibaba_disks.h"
#include "csi-disk/backend/tencent_disks.h"
#include "csi-disk/sim/disk_service.h"
#include "test/cloud/sim_cloud.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::disk {

/// A simulated region with the machines i-1 and i-2 in zone sim-1a and i-3 in sim-1b, of two disks each, and
/// what calls it.
struct DiskRegion {
  explicit DiskRegion(std::chrono::milliseconds settling = {})
      : service(clock, {.settling = settling}), cloud(service, folder / "state") {
    tell("nodes", {{"i-1", {{"zone", "sim-1a"}, {"most", 2}}},
                   {"i-2", {{"zone", "sim-1a"}, {"most", 2}}},
                   {"i-3", {{"zone", "sim-1b"}, {"most", 2}}}});
  }
  /// As a POST to /sim/`what`.
  void tell(const std::string& what, const nlohmann::json& body) {
    const auto done =
        http.exchange({.method = "POST", .url = cloud.url() + "/sim/" + what, .body = body.dump()},
                      std::chrono::seconds(5));
    if (!done || done->status != 200) std::terminate();
  }

  test::TemporaryFolder folder;
  SystemClock clock;
  DiskService service;
  test::SimCloud cloud;
  test::FixedCredentials credentials;
  cloud::CurlClient http{"test"};
  cloud::AlibabaApi alibaba_api{
      http, credentials, clock, {.url = cloud.url(), .version = std::string(AlibabaDisks::kVersion)}};
  AlibabaDisks alibaba{alibaba_api, "sim-1"};
  cloud::TencentApi cbs_api{http, credentials, clock, tencent_endpoint("cbs", TencentDisks::kVersion)};
  cloud::TencentApi cvm_api{http, credentials, clock, tencent_endpoint("cvm", TencentDisks::kVersion)};
  cloud::TencentApi tag_api{http, credentials, clock, tencent_endpoint("tag", TencentDisks::kTagVersion)};
  TencentDisks tencent{{.cbs = cbs_api, .cvm = cvm_api, .tag = tag_api}, "sim-1", clock};

 private:
  [[nodiscard]] cloud::Endpoint tencent_endpoint(const char* product, std::string_view version) const {
    return {.url = cloud.url(), .version = std::string(version), .region = "sim-1", .service = product};
  }
};

}  // namespace holdfast::disk
