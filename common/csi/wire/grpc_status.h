#pragma once

#include "common/base/result.h"

namespace grpc {
class Status;
}  // namespace grpc

namespace holdfast::csi {

/// The one place where an error of ours becomes gRPC's: codes have the same numbers. What the specification
/// wants of a code: answers.h.
[[nodiscard]] grpc::Status to_grpc(const Status& done);

}  // namespace holdfast::csi
