#pragma once

#include <filesystem>
#include <memory>

#include "common/base/result.h"
#include "csi-disk/backend/disk_backend.h"

namespace holdfast::disk {

/// Any DiskBackend as a plugin: serves csi-disk/backend/plugin/disk_backend.proto on a UNIX socket that only
/// its owner may open. Each call runs on a thread of its own, with the caller's deadline.
class PluginServer {
 public:
  /// Serves until it is destroyed; a socket that is there is replaced. `backend` outlives it. Errors:
  /// kUnavailable when the socket cannot be made.
  static Result<std::unique_ptr<PluginServer>> start(DiskBackend& backend,
                                                     const std::filesystem::path& socket);
  PluginServer(const PluginServer&) = delete;
  PluginServer& operator=(const PluginServer&) = delete;
  ~PluginServer();

 private:
  struct Parts;  // gRPC's headers are large
  explicit PluginServer(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace holdfast::disk
