#pragma once

#include <memory>
#include <string>

#include "common/mount/beneath.h"
#include "common/mount/bind.h"
#include "common/mount/mounter.h"

namespace holdfast::mount {

/// The Mounter that mounts. Its own header, so that tests can hold it to the ways of older kernels.
class SystemMounter final : public Mounter {
 public:
  /// Errors: as make_mounter.
  static Result<std::unique_ptr<SystemMounter>> open(const std::string& root, Beneath::Method paths,
                                                     BindMethod binds);

  Status stage(const StageRequest& request) override;
  Status publish(const PublishRequest& request) override;
  Status publish_device(const PublishDeviceRequest& request) override;
  Status unpublish(const std::string& target) override;
  Status unstage(const std::string& target, const std::string& device) override;
  Result<TargetState> look(const std::string& target) override;
  Result<std::optional<MountEntry>> entry_at(const std::string& target) override;
  Result<Mounts> mounts_of(const std::string& device) override;
  Result<std::shared_ptr<const Mounts>> mounts() override { return table_->now(); }

 private:
  SystemMounter(Beneath beneath, std::unique_ptr<MountTable> table, BindMethod binds);

  Status unmount_all(const std::string& target, const Place& place);

  Beneath beneath_;
  std::unique_ptr<MountTable> table_;
  BindMethod binds_;
};

}  // namespace holdfast::mount
