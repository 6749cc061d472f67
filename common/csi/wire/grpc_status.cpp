#include "common/csi/wire/grpc_status.h"

#include <grpcpp/support/status.h>

namespace holdfast::csi {

static_assert(static_cast<int>(Code::kCancelled) == grpc::StatusCode::CANCELLED);
static_assert(static_cast<int>(Code::kDataLoss) == grpc::StatusCode::DATA_LOSS);

grpc::Status to_grpc(const Status& done) {
  if (done) return grpc::Status::OK;
  return {static_cast<grpc::StatusCode>(done.error().code), done.error().message};
}

}  // namespace holdfast::csi
