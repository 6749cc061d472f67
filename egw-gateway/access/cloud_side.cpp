#include "egw-gateway/access/cloud_side.h"

#include <random>
#include <string>

namespace holdfast::gateway {
namespace {

cloud::Endpoint endpoint(const std::string& told, const std::string& usual, std::string_view version) {
  return {.url = told.empty() ? usual : told, .version = std::string(version)};
}

}  // namespace

CloudSide::CloudSide(const AccessOptions& options, Files& files, Clock& clock)
    : http_("egw-access"),
      credentials_(cloud::make_credentials(options.cloud, cloud::Vendor::kAlibaba, files, http_, clock)),
      vpc_(http_, *credentials_, clock,
           endpoint(options.cloud.endpoint, AlibabaTable::vpc_url(options.cloud.region),
                    AlibabaTable::kVpcVersion)),
      cen_(http_, *credentials_, clock,
           endpoint(options.cen_endpoint, AlibabaTable::cen_url(), AlibabaTable::kCenVersion)),
      table_(vpc_, cen_, options.vpc),
      routes_(table_, clock, std::random_device{}()) {}

}  // namespace holdfast::gateway
