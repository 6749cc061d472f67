#include "csi-disk/device/device_watch.h"

#include <utility>

namespace holdfast::disk {

Result<std::unique_ptr<DeviceWatch>> DeviceWatch::start(EventLoop& loop, const std::filesystem::path& by_id,
                                                        DeviceNews& news, Logger& log) {
  HOLDFAST_TRY(block::UeventMonitor monitor, block::UeventMonitor::open());
  HOLDFAST_TRY(FolderWatch links, FolderWatch::open(by_id));
  std::unique_ptr<DeviceWatch> watch(new DeviceWatch(std::move(monitor), std::move(links), news, log));
  DeviceWatch* self = watch.get();
  constexpr Readiness kReadable{.readable = true, .writable = false};
  HOLDFAST_TRY(self->of_kernel_,
               loop.watch(self->monitor_.fd(), kReadable, [self](Readiness) { self->hear_kernel(); }));
  HOLDFAST_TRY(self->of_links_,
               loop.watch(self->links_.fd(), kReadable, [self](Readiness) { self->hear_links(); }));
  return watch;
}

void DeviceWatch::hear_kernel() {
  const auto events = monitor_.read();
  if (!events) return log_.warning("cannot hear of disks", {{"error", events.error().message}});
  if (!events->empty()) news_.tell();
}

void DeviceWatch::hear_links() {
  const auto changed = links_.drain();
  if (!changed) return log_.warning("cannot hear of links to disks", {{"error", changed.error().message}});
  news_.tell();
}

}  // namespace holdfast::disk
