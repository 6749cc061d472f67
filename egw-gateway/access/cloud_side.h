#pragma once

#include <memory>

#include "common/base/clock.h"
#include "common/base/files.h"
#include "common/cloud/api.h"
#include "common/cloud/credentials.h"
#include "common/cloud/http_client.h"
#include "egw-gateway/access/options.h"
#include "egw-gateway/access/routes/alibaba_table.h"
#include "egw-gateway/access/routes/route_provider.h"

namespace holdfast::gateway {

/// The route table of a VPC of Alibaba Cloud, with all that it takes to call it.
class CloudSide {
 public:
  /// `files` and `clock` outlive it.
  CloudSide(const AccessOptions& options, Files& files, Clock& clock);

  [[nodiscard]] RouteProvider& routes() { return routes_; }

 private:
  cloud::CurlClient http_;
  std::unique_ptr<cloud::CredentialSource> credentials_;
  cloud::AlibabaApi vpc_;
  cloud::AlibabaApi cen_;
  AlibabaTable table_;
  TableRoutes routes_;
};

}  // namespace holdfast::gateway
