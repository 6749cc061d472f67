#pragma once

#include <filesystem>
#include <memory>

#include "common/base/event_loop.h"
#include "common/base/folder_watch.h"
#include "common/base/log.h"
#include "common/base/result.h"
#include "common/block/uevents.h"
#include "csi-disk/device/device_news.h"

namespace holdfast::disk {

/// Tells DeviceNews what the kernel says of block devices, and that a link to one was made, which udev does a
/// moment after. Lives on the loop's thread.
class DeviceWatch {
 public:
  /// `by_id`: the folder of links, which may come later. All outlive it. Errors: errno of socket(2) and
  /// inotify(7).
  static Result<std::unique_ptr<DeviceWatch>> start(EventLoop& loop, const std::filesystem::path& by_id,
                                                    DeviceNews& news, Logger& log);

 private:
  DeviceWatch(block::UeventMonitor monitor, FolderWatch links, DeviceNews& news, Logger& log)
      : monitor_(std::move(monitor)), links_(std::move(links)), news_(news), log_(log) {}
  void hear_kernel();
  void hear_links();

  block::UeventMonitor monitor_;
  FolderWatch links_;
  DeviceNews& news_;
  Logger& log_;
  EventLoop::Watch of_kernel_;
  EventLoop::Watch of_links_;
};

}  // namespace holdfast::disk
