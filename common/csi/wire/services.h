#pragma once

#include <memory>

#include "common/csi/driver.h"
#include "common/csi/registration.h"
#include "common/csi/server.h"
#include "common/csi/wire/calls.h"

namespace grpc {
class Service;
}  // namespace grpc

namespace holdfast::csi {

// gRPC's services over what is ours; `calls` runs around each call. All arguments outlive the service.
[[nodiscard]] std::unique_ptr<grpc::Service> identity_service(Calls& calls, const ServedDriver& driver);
[[nodiscard]] std::unique_ptr<grpc::Service> controller_service(Calls& calls, ControllerDriver& driver);
[[nodiscard]] std::unique_ptr<grpc::Service> node_service(Calls& calls, NodeDriver& driver);
[[nodiscard]] std::unique_ptr<grpc::Service> registration_service(Registration& registration);

}  // namespace holdfast::csi
