#pragma once

#include <chrono>
#include <optional>

#include "cni-flannel/daemon/dir_source.h"
#include "cni-flannel/daemon/lease_source.h"
#include "common/base/event_loop.h"
#include "common/base/folder_watch.h"

namespace holdfast::flannel {

/// The cluster's nodes as files in a folder (dir_source.h), read at the start and every kRescan, and each
/// file when it changes. A folder in which every file can be used is an authoritative list. Publishes
/// nothing: whoever keeps the folders tells the peers.
class DirLeaseSource final : public LeaseSource {
 public:
  static constexpr std::chrono::seconds kRescan{60};

  /// `loop` and `files` outlive it.
  DirLeaseSource(EventLoop& loop, Files& files, std::filesystem::path folder)
      : loop_(loop), folder_(files, std::move(folder)) {}

  Status start(LeaseConsumer& consumer) override;
  void publish(const NodeNetwork& own, const NodeNetworkStatus& status) override;
  void tell(const std::vector<Condition>& /*conditions*/) override {}
  void look_again() override;
  /// There is nobody to tell.
  void refuse(const Condition& why, std::function<void()> done) override;

 private:
  void news();
  void read_after(std::chrono::nanoseconds delay);
  void read();
  void tell(FolderContent content);

  EventLoop& loop_;
  NodeFolder folder_;
  LeaseConsumer* consumer_ = nullptr;
  std::optional<FolderWatch> changes_;
  EventLoop::Watch watch_;
  EventLoop::Timer next_;
  FolderNews news_{.all = true, .names = {}};  // not read yet
  bool soon_ = false;                          // next_ is for news, not for a rescan
  std::chrono::nanoseconds took_{};            // the last read
  std::chrono::nanoseconds read_ended_{};
};

}  // namespace holdfast::flannel
