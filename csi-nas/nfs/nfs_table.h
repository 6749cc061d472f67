#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "common/mount/mount_table.h"
#include "csi-nas/nfs/server_states.h"

/// What the mount table tells of NFS, without asking any server.
namespace holdfast::nas {

[[nodiscard]] bool is_nfs(const mount::MountEntry& entry);

/// The server of an NFS mount, by the options that the kernel shows; nullopt when they do not tell.
[[nodiscard]] std::optional<ServerAddress> server_of(const mount::MountEntry& entry);

/// Whether locks of an NFS mount go to its server by a protocol of their own (version 3 without nolock).
[[nodiscard]] bool locks_at_server(const mount::MountEntry& entry);

/// Of all NFS mounts at and below `folder`, as mountinfo tells it.
[[nodiscard]] std::set<ServerAddress> servers_below(const mount::Mounts& mounts, std::string_view folder);

/// What the kernel calls the source of a part of a share, "team/a", that is shown by itself; of "" the
/// share's own. The root of all NFS mounts is "/". Source: linux fs/nfs/super.c, nfs_show_devname,
/// nfs_show_path.
[[nodiscard]] std::string source_of_part(const std::string& share, const std::string& part);

/// Whether two mounts show the same: of the same share of the same file system, and the same part of it.
[[nodiscard]] bool show_the_same(const mount::MountEntry& a, const mount::MountEntry& b);

/// Whether one shows what another did before that was mounted anew: the same of the same server, by another
/// mount of the share. Of a folder that was exchanged on the server, version 3 has both in one file system;
/// what is shown of one mount is told by its peer group then, which all have below a folder that is shared,
/// as kubelet's is. Source: mount_namespaces(7).
[[nodiscard]] bool is_older_than(const mount::MountEntry& entry, const mount::MountEntry& now);

/// What a mount shows, for people: "10.0.0.5:/exports/team", or "/dev/vdb/folder".
[[nodiscard]] std::string shown_by(const mount::MountEntry& entry);

/// Whether anything is mounted from a share, or a part of it, elsewhere than below `folder`, where the shares
/// themselves are.
[[nodiscard]] bool is_used_outside(const mount::Mounts& mounts, const mount::MountEntry& share,
                                   std::string_view folder);

[[nodiscard]] bool is_at_or_below(std::string_view path, std::string_view folder);

}  // namespace holdfast::nas
