#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/exec.h"
#include "common/base/files.h"
#include "common/base/result.h"

namespace holdfast::flannel {

/// A file by which a daemon of the host is told to leave links alone that are ours or the CNI plugin's.
struct DropIn {
  /// Is there when the daemon is in use: what it makes itself, as the folders are also made to be mounted.
  std::filesystem::path daemon;
  std::filesystem::path file;
  std::string content;              ///< begins with kDropInMark
  std::vector<std::string> reload;  ///< program by name, and arguments; empty: the daemon looks by itself
};

inline constexpr std::string_view kDropInMark =
    "# Written by flanneld, which keeps these links; --network-drop-ins=false takes it away.\n";

/// Of the overlay's links, by their names, and of the pods', below `run_dir` (/run), which an operator's own
/// files in /etc outweigh:
///
///     udev/control            systemd/network/10-flanneld.link       keeps its hands off MAC and name
///     systemd/netif/state     systemd/network/10-flanneld.network    networkd does not manage them
///     NetworkManager/devices  NetworkManager/conf.d/10-flanneld.conf nor does NetworkManager
///
/// systemd-udevd gives a link without a MAC of its own another one (MACAddressPolicy=persistent); networkd
/// and NetworkManager take addresses and routes away that are not theirs, and networkd takes a pod's link out
/// of the bridge (KeepMaster=). What the package holdfast-node has in /lib (packaging/node) are the same
/// files, for VNI 1. Pure. Source: systemd.link(5), systemd.network(5), NetworkManager.conf(5).
[[nodiscard]] std::vector<DropIn> drop_ins(const std::filesystem::path& run_dir,
                                           const std::vector<std::string>& overlay);

/// What was done, for the log.
struct DropInNews {
  std::vector<DropIn> changed;     ///< written or taken away
  std::vector<std::string> notes;  ///< files of others that stand there and were left, and what failed
};

/// Puts the files of those daemons that are in use; a file without our mark is left as it is.
[[nodiscard]] DropInNews put_drop_ins(Files& files, const std::vector<DropIn>& wanted);
/// Takes away those that bear our mark.
[[nodiscard]] DropInNews remove_drop_ins(Files& files, const std::vector<DropIn>& unwanted);

/// Has the daemons read what changed, a program each, 2 s at most. Returns what failed; a program that the
/// host does not have is left out: the file then counts from the daemon's next start.
[[nodiscard]] std::vector<std::string> reload_daemons(Executor& executor, const std::vector<DropIn>& changed);

}  // namespace holdfast::flannel
