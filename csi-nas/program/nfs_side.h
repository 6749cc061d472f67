#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include "common/csi/driver_host.h"
#include "common/mount/beneath.h"
#include "common/mount/mount_table.h"
#include "csi-nas/mounts/child_calls.h"
#include "csi-nas/mounts/nas_mounts.h"
#include "csi-nas/mounts/rpc_slots.h"
#include "csi-nas/mounts/server_watch.h"

namespace holdfast::nas {

struct NfsSideOptions {
  std::string driver_name;  ///< in metrics
  std::filesystem::path nascmd;
  std::filesystem::path root;           ///< all mounts are below it
  std::filesystem::path shared;         ///< below it: where each share is mounted once
  std::uint32_t rpc_slots = kRpcSlots;  ///< calls under way on a connection; 0: the kernel's
};

/// What a node and a controller stand on alike: the children that call NFS, the servers that are watched, and
/// the mounts below one folder. Of the loop's thread, but for what its parts say.
///
/// Metrics, each with driver_name: holdfast_nfs_server_up (server), holdfast_nfs_calls_stuck.
class NfsSide {
 public:
  /// Errors: kNotFound when the root or nascmd is not there; errno.
  static Result<std::unique_ptr<NfsSide>> open(const csi::HostContext& context, NfsSideOptions options);
  NfsSide(const NfsSide&) = delete;
  NfsSide& operator=(const NfsSide&) = delete;
  ~NfsSide() = default;

  [[nodiscard]] NasMounts& mounts() { return mounts_; }
  [[nodiscard]] const ServerStates& servers() const { return servers_; }
  /// The mount table as NasMountsParts wants it: targets by the name that the root has here. From any thread.
  Result<std::shared_ptr<const mount::Mounts>> table();

  /// What the kernel is to have before shares are mounted, and what those need that are mounted: the calls'
  /// tables, services for locks. What fails is logged: volumes are there without. On any thread; seconds.
  void prepare();
  /// Servers that are asked whether they live though nothing of theirs is mounted.
  void watch_also(std::set<ServerAddress> servers) { also_ = std::move(servers); }
  void tick();
  void refresh_metrics();

 private:
  NfsSide(const csi::HostContext& context, NfsSideOptions options, mount::Beneath root,
          std::unique_ptr<mount::MountTable> table);

  [[nodiscard]] std::set<std::string> dead_servers() const;

  csi::HostContext context_;
  NfsSideOptions options_;
  mount::Beneath root_;
  std::unique_ptr<mount::MountTable> table_;
  ChildCalls calls_;
  ServerWatch servers_;
  NasMounts mounts_;
  std::set<ServerAddress> also_;
  bool sweeping_ = false;
};

/// A program that is told by its path, or lies beside the one that runs. Errors: kNotFound naming `flag`.
Result<std::filesystem::path> find_program(const std::filesystem::path& told, const char* name,
                                           const char* flag);

}  // namespace holdfast::nas
