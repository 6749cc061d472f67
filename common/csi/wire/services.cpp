#include "common/csi/wire/services.h"

#include <algorithm>
#include <grpcpp/server_context.h>

#include "common/base/version.h"
#include "common/csi/proto/csi.grpc.pb.h"
#include "common/csi/proto/pluginregistration.grpc.pb.h"
#include "common/csi/wire/grpc_status.h"

namespace holdfast::csi {
namespace {

class GrpcCall final : public Call {
 public:
  explicit GrpcCall(grpc::ServerContext& context) : context_(context) {}
  [[nodiscard]] bool cancelled() const override { return context_.IsCancelled(); }
  [[nodiscard]] std::chrono::nanoseconds time_left() const override {
    const auto deadline = context_.deadline();
    if (deadline == std::chrono::system_clock::time_point::max()) return std::chrono::nanoseconds::max();
    const std::chrono::nanoseconds left = deadline - std::chrono::system_clock::now();
    return std::max(left, std::chrono::nanoseconds(0));
  }

 private:
  grpc::ServerContext& context_;
};

/// A driver, and what is done around its calls.
template <class Driver>
struct Served {
  Calls& calls;
  Driver& driver;

  template <class Request, class Response>
  grpc::Status answer(grpc::ServerContext& context, const Request& request, Response& response,
                      Status (Driver::*method)(const Call&, const Request&, Response&)) {
    return to_grpc(
        calls.run(request, [&] { return (driver.*method)(GrpcCall(context), request, response); }));
  }
};

class ControllerService final : public v1::Controller::Service {
 public:
  ControllerService(Calls& calls, ControllerDriver& driver) : served_{calls, driver} {}

  grpc::Status ControllerGetCapabilities(grpc::ServerContext* context,
                                         const v1::ControllerGetCapabilitiesRequest* request,
                                         v1::ControllerGetCapabilitiesResponse* response) override {
    return served_.answer(*context, *request, *response, &ControllerDriver::capabilities);
  }
  grpc::Status CreateVolume(grpc::ServerContext* context, const v1::CreateVolumeRequest* request,
                            v1::CreateVolumeResponse* response) override {
    return served_.answer(*context, *request, *response, &ControllerDriver::create_volume);
  }
  grpc::Status DeleteVolume(grpc::ServerContext* context, const v1::DeleteVolumeRequest* request,
                            v1::DeleteVolumeResponse* response) override {
    return served_.answer(*context, *request, *response, &ControllerDriver::delete_volume);
  }
  grpc::Status ControllerPublishVolume(grpc::ServerContext* context,
                                       const v1::ControllerPublishVolumeRequest* request,
                                       v1::ControllerPublishVolumeResponse* response) override {
    return served_.answer(*context, *request, *response, &ControllerDriver::publish_volume);
  }
  grpc::Status ControllerUnpublishVolume(grpc::ServerContext* context,
                                         const v1::ControllerUnpublishVolumeRequest* request,
                                         v1::ControllerUnpublishVolumeResponse* response) override {
    return served_.answer(*context, *request, *response, &ControllerDriver::unpublish_volume);
  }
  grpc::Status ValidateVolumeCapabilities(grpc::ServerContext* context,
                                          const v1::ValidateVolumeCapabilitiesRequest* request,
                                          v1::ValidateVolumeCapabilitiesResponse* response) override {
    return served_.answer(*context, *request, *response, &ControllerDriver::validate_capabilities);
  }
  grpc::Status ListVolumes(grpc::ServerContext* context, const v1::ListVolumesRequest* request,
                           v1::ListVolumesResponse* response) override {
    return served_.answer(*context, *request, *response, &ControllerDriver::list_volumes);
  }
  grpc::Status ControllerListVolumeHealth(grpc::ServerContext* context,
                                          const v1::ControllerListVolumeHealthRequest* request,
                                          v1::ControllerListVolumeHealthResponse* response) override {
    return served_.answer(*context, *request, *response, &ControllerDriver::list_volume_health);
  }
  grpc::Status ControllerGetVolumeHealth(grpc::ServerContext* context,
                                         const v1::ControllerGetVolumeHealthRequest* request,
                                         v1::ControllerGetVolumeHealthResponse* response) override {
    return served_.answer(*context, *request, *response, &ControllerDriver::volume_health);
  }
  grpc::Status GetCapacity(grpc::ServerContext* context, const v1::GetCapacityRequest* request,
                           v1::GetCapacityResponse* response) override {
    return served_.answer(*context, *request, *response, &ControllerDriver::capacity);
  }
  grpc::Status CreateSnapshot(grpc::ServerContext* context, const v1::CreateSnapshotRequest* request,
                              v1::CreateSnapshotResponse* response) override {
    return served_.answer(*context, *request, *response, &ControllerDriver::create_snapshot);
  }
  grpc::Status DeleteSnapshot(grpc::ServerContext* context, const v1::DeleteSnapshotRequest* request,
                              v1::DeleteSnapshotResponse* response) override {
    return served_.answer(*context, *request, *response, &ControllerDriver::delete_snapshot);
  }
  grpc::Status ListSnapshots(grpc::ServerContext* context, const v1::ListSnapshotsRequest* request,
                             v1::ListSnapshotsResponse* response) override {
    return served_.answer(*context, *request, *response, &ControllerDriver::list_snapshots);
  }
  grpc::Status GetSnapshot(grpc::ServerContext* context, const v1::GetSnapshotRequest* request,
                           v1::GetSnapshotResponse* response) override {
    return served_.answer(*context, *request, *response, &ControllerDriver::snapshot);
  }
  grpc::Status ControllerExpandVolume(grpc::ServerContext* context,
                                      const v1::ControllerExpandVolumeRequest* request,
                                      v1::ControllerExpandVolumeResponse* response) override {
    return served_.answer(*context, *request, *response, &ControllerDriver::expand_volume);
  }
  grpc::Status ControllerGetVolume(grpc::ServerContext* context,
                                   const v1::ControllerGetVolumeRequest* request,
                                   v1::ControllerGetVolumeResponse* response) override {
    return served_.answer(*context, *request, *response, &ControllerDriver::volume);
  }
  grpc::Status ControllerModifyVolume(grpc::ServerContext* context,
                                      const v1::ControllerModifyVolumeRequest* request,
                                      v1::ControllerModifyVolumeResponse* response) override {
    return served_.answer(*context, *request, *response, &ControllerDriver::modify_volume);
  }

 private:
  Served<ControllerDriver> served_;
};

class NodeService final : public v1::Node::Service {
 public:
  NodeService(Calls& calls, NodeDriver& driver) : served_{calls, driver} {}

  grpc::Status NodeGetCapabilities(grpc::ServerContext* context,
                                   const v1::NodeGetCapabilitiesRequest* request,
                                   v1::NodeGetCapabilitiesResponse* response) override {
    return served_.answer(*context, *request, *response, &NodeDriver::capabilities);
  }
  grpc::Status NodeGetInfo(grpc::ServerContext* context, const v1::NodeGetInfoRequest* request,
                           v1::NodeGetInfoResponse* response) override {
    return served_.answer(*context, *request, *response, &NodeDriver::info);
  }
  grpc::Status NodeStageVolume(grpc::ServerContext* context, const v1::NodeStageVolumeRequest* request,
                               v1::NodeStageVolumeResponse* response) override {
    return served_.answer(*context, *request, *response, &NodeDriver::stage_volume);
  }
  grpc::Status NodeUnstageVolume(grpc::ServerContext* context, const v1::NodeUnstageVolumeRequest* request,
                                 v1::NodeUnstageVolumeResponse* response) override {
    return served_.answer(*context, *request, *response, &NodeDriver::unstage_volume);
  }
  grpc::Status NodePublishVolume(grpc::ServerContext* context, const v1::NodePublishVolumeRequest* request,
                                 v1::NodePublishVolumeResponse* response) override {
    return served_.answer(*context, *request, *response, &NodeDriver::publish_volume);
  }
  grpc::Status NodeUnpublishVolume(grpc::ServerContext* context,
                                   const v1::NodeUnpublishVolumeRequest* request,
                                   v1::NodeUnpublishVolumeResponse* response) override {
    return served_.answer(*context, *request, *response, &NodeDriver::unpublish_volume);
  }
  grpc::Status NodeGetVolumeStats(grpc::ServerContext* context, const v1::NodeGetVolumeStatsRequest* request,
                                  v1::NodeGetVolumeStatsResponse* response) override {
    return served_.answer(*context, *request, *response, &NodeDriver::volume_stats);
  }
  grpc::Status NodeGetVolumeHealth(grpc::ServerContext* context,
                                   const v1::NodeGetVolumeHealthRequest* request,
                                   v1::NodeGetVolumeHealthResponse* response) override {
    return served_.answer(*context, *request, *response, &NodeDriver::volume_health);
  }
  grpc::Status NodeGetStorageHealth(grpc::ServerContext* context,
                                    const v1::NodeGetStorageHealthRequest* request,
                                    v1::NodeGetStorageHealthResponse* response) override {
    return served_.answer(*context, *request, *response, &NodeDriver::storage_health);
  }
  grpc::Status NodeExpandVolume(grpc::ServerContext* context, const v1::NodeExpandVolumeRequest* request,
                                v1::NodeExpandVolumeResponse* response) override {
    return served_.answer(*context, *request, *response, &NodeDriver::expand_volume);
  }

 private:
  Served<NodeDriver> served_;
};

class IdentityService final : public v1::Identity::Service {
 public:
  IdentityService(Calls& calls, const ServedDriver& driver) : calls_(calls), driver_(driver) {}

  grpc::Status GetPluginInfo(grpc::ServerContext* /*context*/, const v1::GetPluginInfoRequest* request,
                             v1::GetPluginInfoResponse* response) override {
    return to_grpc(calls_.run(*request, [&]() -> Status {
      response->set_name(driver_.profile.driver_name);
      response->set_vendor_version(std::string(version()));
      return {};
    }));
  }

  grpc::Status GetPluginCapabilities(grpc::ServerContext* /*context*/,
                                     const v1::GetPluginCapabilitiesRequest* request,
                                     v1::GetPluginCapabilitiesResponse* response) override {
    return to_grpc(calls_.run(*request, [&]() -> Status {
      using Part = v1::PluginCapability::Service;
      using Expansion = v1::PluginCapability::VolumeExpansion;
      const PluginCapabilities& has = driver_.capabilities;
      const auto add = [&] { return response->add_capabilities(); };
      if (has.controller) add()->mutable_service()->set_type(Part::CONTROLLER_SERVICE);
      if (has.topology) add()->mutable_service()->set_type(Part::VOLUME_ACCESSIBILITY_CONSTRAINTS);
      if (has.online_expansion) add()->mutable_volume_expansion()->set_type(Expansion::ONLINE);
      return {};
    }));
  }

  grpc::Status Probe(grpc::ServerContext* /*context*/, const v1::ProbeRequest* request,
                     v1::ProbeResponse* response) override {
    return to_grpc(calls_.run(*request, [&]() -> Status {
      HOLDFAST_TRY(const bool ready, driver_.probe());
      response->mutable_ready()->set_value(ready);
      return {};
    }));
  }

 private:
  Calls& calls_;
  const ServedDriver& driver_;
};

class RegistrationService final : public pluginregistration::Registration::Service {
 public:
  explicit RegistrationService(Registration& registration) : registration_(registration) {}

  grpc::Status GetInfo(grpc::ServerContext* /*context*/, const pluginregistration::InfoRequest* /*request*/,
                       pluginregistration::PluginInfo* response) override {
    response->set_type(std::string(Registration::kType));
    response->set_name(registration_.driver().name);
    response->set_endpoint(registration_.driver().endpoint);
    response->add_supported_versions(std::string(Registration::kVersion));
    return grpc::Status::OK;
  }

  grpc::Status NotifyRegistrationStatus(
      grpc::ServerContext* /*context*/, const pluginregistration::RegistrationStatus* request,
      pluginregistration::RegistrationStatusResponse* /*response*/) override {
    registration_.notified(request->plugin_registered(), request->error());
    return grpc::Status::OK;
  }

 private:
  Registration& registration_;
};

}  // namespace

std::unique_ptr<grpc::Service> identity_service(Calls& calls, const ServedDriver& driver) {
  return std::make_unique<IdentityService>(calls, driver);
}

std::unique_ptr<grpc::Service> controller_service(Calls& calls, ControllerDriver& driver) {
  return std::make_unique<ControllerService>(calls, driver);
}

std::unique_ptr<grpc::Service> node_service(Calls& calls, NodeDriver& driver) {
  return std::make_unique<NodeService>(calls, driver);
}

std::unique_ptr<grpc::Service> registration_service(Registration& registration) {
  return std::make_unique<RegistrationService>(registration);
}

}  // namespace holdfast::csi
