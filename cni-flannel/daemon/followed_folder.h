#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "common/base/event_loop.h"
#include "common/base/folder_watch.h"
#include "common/base/result.h"

namespace holdfast::flannel {

/// A FolderWatch on an event loop.
class FollowedFolder {
 public:
  using Told = std::function<void(const FolderNews&)>;

  /// Calls `told` on the loop's thread after each change. News that cannot be read count as "anything may
  /// have changed". `loop` outlives it. Errors: errno of inotify(7).
  static Result<std::unique_ptr<FollowedFolder>> start(EventLoop& loop, const std::filesystem::path& folder,
                                                       Told told);

 private:
  FollowedFolder(FolderWatch watch, Told told) : watch_(std::move(watch)), told_(std::move(told)) {}

  FolderWatch watch_;
  Told told_;
  EventLoop::Watch events_;
};

}  // namespace holdfast::flannel
