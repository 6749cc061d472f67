#include "csi-disk/driver/new_disk_preparer.h"

namespace holdfast::disk {

using Kind = block::Provenance::Kind;

Result<std::string> NewDiskPreparer::prepare(const block::PrepareRequest& request,
                                             block::ProvenanceRecord& record,
                                             std::chrono::milliseconds deadline,
                                             const std::function<bool()>& cancelled) {
  auto done = inner_.prepare(request, record, deadline, cancelled);
  const bool refused = !done && done.error().code == Code::kFailedPrecondition;
  if (!refused || request.provenance.kind != Kind::kNew) return done;
  block::PrepareRequest unknown = request;
  unknown.provenance = {.kind = Kind::kMaybe, .uuid = {}};
  HOLDFAST_CHECK(record.write(unknown.provenance));
  return inner_.prepare(unknown, record, deadline, cancelled);
}

}  // namespace holdfast::disk
