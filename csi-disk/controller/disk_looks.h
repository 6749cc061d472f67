#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "csi-disk/backend/disk_backend.h"
#include "csi-disk/controller/budget.h"
#include "csi-disk/controller/cloud_change.h"
#include "csi-disk/controller/disk_settings.h"

namespace holdfast::disk {

/// A cloud's error as CSI's callers are told it: "<what>: <message>", cloud::to_error()'s code.
[[nodiscard]] tl::unexpected<Error> told(cloud::CallError error, std::string_view what);
/// kNotFound, for a disk of which the cloud has said so.
[[nodiscard]] tl::unexpected<Error> no_disk(std::string_view id);

/// The value of a tag; empty when it has none.
[[nodiscard]] std::string tag_of(const Tags& tags, std::string_view key);

/// Looks at a cloud's disks and snapshots, and waits for them.
/// Errors of all calls: those of cloud::to_error(); something that is not there is never an error of a
/// backend's, only of its answer. Thread-safe.
class DiskLooks {
 public:
  using Settled = std::function<bool(const Disk&)>;

  /// All outlive it.
  DiskLooks(DiskBackend& backend, const DiskSettings& settings, Clock& clock)
      : backend_(backend), settings_(settings), clock_(clock) {}

  [[nodiscard]] DiskBackend& backend() const { return backend_; }
  [[nodiscard]] const DiskSettings& settings() const { return settings_; }
  [[nodiscard]] Clock& clock() const { return clock_; }
  [[nodiscard]] Budget budget(Patience patience) const { return {clock_, patience}; }

  /// nullopt: the cloud says that there is none. One whose id cannot be the cloud's is not asked for.
  [[nodiscard]] Result<std::optional<Disk>> find(const std::string& id, const Budget& budget) const;
  /// Errors: kNotFound.
  [[nodiscard]] Result<Disk> get(const std::string& id, const Budget& budget) const;
  /// Looks until it is `settled`, or gone. Errors: kAborted: "<what> is under way".
  [[nodiscard]] Result<std::optional<Disk>> wait(const std::string& id, const Settled& settled,
                                                 std::string_view what, const Budget& budget) const;

  /// Asks once for what makes it `settled`, unless it is, and waits until it is; while the cloud does
  /// something else to it, it is asked later. Errors: kNotFound; CloudChange::unfinished().
  Result<Disk> bring(const std::string& id, const Settled& settled, const std::function<cloud::Done()>& ask,
                     const std::string& what, const Budget& budget) const;

  /// Deletes it, and waits until it is gone; while the cloud does something else to it, it is asked later.
  /// Errors: kFailedPrecondition, naming the node, when it is attached; CloudChange::unfinished().
  Status drop(const std::string& id, const Budget& budget) const;

  [[nodiscard]] Result<std::optional<Snapshot>> find_snapshot(const std::string& id,
                                                              const Budget& budget) const;
  /// Of this cluster, where tags tell.
  [[nodiscard]] Result<std::vector<Disk>> named(const std::string& name, const Budget& budget) const;
  [[nodiscard]] Result<std::vector<Snapshot>> snapshots_named(const std::string& name,
                                                              const Budget& budget) const;
  /// Deletes those of this cluster with that name. Errors: kAborted while the cloud uses one.
  Status drop_snapshots_named(const std::string& name, const Budget& budget) const;

  /// Whether what bears these tags is of this controller's cluster.
  [[nodiscard]] bool is_ours(const Tags& tags) const;
  /// disk_name_of(), with the cluster where no tag tells it.
  [[nodiscard]] std::string name_of(const std::string& csi_name) const;

 private:
  DiskBackend& backend_;
  const DiskSettings& settings_;
  Clock& clock_;
};

}  // namespace holdfast::disk
