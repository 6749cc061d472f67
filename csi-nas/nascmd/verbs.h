#pragma once

#include <string>

#include "common/base/result.h"
#include "csi-nas/nfs/nfs_calls.h"

/// The verbs of nascmd. Each may hang. `root` is kubelet's folder.
namespace holdfast::nas {

Result<std::string> resolve_host(const std::string& host);
Status mount_share(const std::string& root, const MountShareRequest& request);
/// Leaves the mount namespace of the process.
Status make_folder(const std::string& root, const MakeFolderRequest& request);
Status set_mode(const std::string& root, const std::string& path, mode_t mode);
Status bind_part(const std::string& root, const BindRequest& request);
Status unmount(const std::string& root, const UnmountRequest& request);
Result<std::string> look_at(const std::string& root, const std::string& path);

}  // namespace holdfast::nas
