#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "common/mount/mounter.h"

namespace holdfast::test {

/// A Mounter that remembers. Keeps the contract of mounter_test.cpp, as the real one does; its folders are
/// names. Not thread-safe.
class FakeMounter final : public mount::Mounter {
 public:
  explicit FakeMounter(std::string root) : root_(std::move(root)) { paths_.insert(root_); }

  /// What the tests arrange.
  std::map<std::string, std::uint32_t> devices;  ///< block devices that are there, and their minor numbers
  std::set<std::string> busy;                    ///< targets that cannot be unmounted
  std::set<std::string> held;                    ///< devices that somebody else has open
  /// Called before each change with its name and target; an error fails it, before anything is done.
  std::function<Status(std::string_view verb, const std::string& target)> before = [](auto&&...) {
    return Status{};
  };
  void make_folder(const std::string& path) { paths_.insert(path); }
  void put_file(const std::string& path) {
    paths_.insert(path);
    files_.insert(path);
  }
  [[nodiscard]] bool exists(const std::string& path) const { return paths_.contains(path); }

  Status stage(const mount::StageRequest& request) override;
  Status publish(const mount::PublishRequest& request) override;
  Status publish_device(const mount::PublishDeviceRequest& request) override;
  Status unpublish(const std::string& target) override;
  Status unstage(const std::string& target, const std::string& device) override;
  Result<mount::TargetState> look(const std::string& target) override;
  Result<std::optional<mount::MountEntry>> entry_at(const std::string& target) override;
  Result<mount::Mounts> mounts_of(const std::string& device) override;
  Result<std::shared_ptr<const mount::Mounts>> mounts() override;
  /// As ext4 does after an error: every mount of the device stays as it is and refuses writes.
  void turn_read_only(const std::string& device);
  /// As the host does, at a place that need not be below the folder.
  void mount_elsewhere(const std::string& device, const std::string& target, const std::string& root = "/");

 private:
  [[nodiscard]] Status check_path(const std::string& path) const;
  [[nodiscard]] bool has_content(const std::string& folder) const;
  Status unmount(const std::string& target);
  Status put(mount::MountEntry entry);

  std::string root_;
  std::set<std::string> paths_;
  std::set<std::string> files_;  // of these, somebody's files
  mount::Mounts mounts_;
};

}  // namespace holdfast::test
