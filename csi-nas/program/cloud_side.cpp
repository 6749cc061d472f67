#include "csi-nas/program/cloud_side.h"

namespace holdfast::nas {
namespace {

cloud::Endpoint endpoint_of(const cloud::CloudOptions& options) {
  return {.url = options.endpoint.empty() ? AlibabaNas::url_of(options.region) : options.endpoint,
          .version = std::string(AlibabaNas::kVersion)};
}

}  // namespace

CloudSide::CloudSide(const csi::HostContext& context, const cloud::CloudOptions& options, NasRecords& records)
    : http_("csi-nas"),
      credentials_(
          cloud::make_credentials(options, cloud::Vendor::kAlibaba, context.files, http_, context.clock)),
      api_(http_, *credentials_, context.clock, endpoint_of(options)),
      backend_(api_, options.region),
      volumes_(records, backend_, options.region, context.clock) {}

}  // namespace holdfast::nas
