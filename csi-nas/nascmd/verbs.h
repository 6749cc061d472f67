#pragma once

#include <memory>
#include <string>

#include "common/base/result.h"
#include "common/mount/beneath.h"
#include "common/mount/mount_table.h"
#include "common/mount/mounter.h"
#include "csi-nas/nfs/nfs_calls.h"

/// The verbs of nascmd. Each may hang.
namespace holdfast::nas {

/// What the verbs stand on.
struct Ground {
  std::string root;  ///< kubelet's folder
  mount::Beneath beneath;
  std::unique_ptr<mount::Mounter> mounter;
  std::unique_ptr<mount::MountTable> table;
};

/// Errors: as of mount::make_mounter().
Result<Ground> open_ground(const std::string& root);

Result<std::string> resolve_host(const std::string& host);
Status mount_share(const Ground& ground, const MountShareRequest& request);
/// Leaves the mount namespace of the process.
Status make_folder(const Ground& ground, const MakeFolderRequest& request);
Status set_mode(const Ground& ground, const std::string& path, mode_t mode);
Status bind_part(const Ground& ground, const BindRequest& request);
Status unmount(const Ground& ground, const UnmountRequest& request);
Result<std::string> look_at(const Ground& ground, const std::string& path);

}  // namespace holdfast::nas
