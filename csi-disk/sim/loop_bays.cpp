#include "csi-disk/sim/loop_bays.h"

#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "csi-disk/sim/loop_device.h"

namespace holdfast::disk {

std::filesystem::path LoopBays::link_of(const std::string& serial) const {
  return by_id_ / ("virtio-" + serial);
}

// In place of what is there, which a kill may have left.
Status LoopBays::make_link(const std::string& serial, const std::string& device) const {
  std::error_code error;
  std::filesystem::create_directories(by_id_, error);
  if (error) return fail_errno(error.value(), "make " + by_id_.string());
  const std::filesystem::path link = link_of(serial);
  const std::filesystem::path fresh = by_id_ / ("." + serial);
  std::filesystem::remove(fresh, error);
  if (::symlink(device.c_str(), fresh.c_str()) != 0 || ::rename(fresh.c_str(), link.c_str()) != 0) {
    return fail_errno(errno, "make " + link.string());
  }
  return {};
}

Result<std::map<std::string, std::string>> LoopBays::plugged() { return loops_below(images_); }

Status LoopBays::plug(const std::string& serial, const std::filesystem::path& image,
                      const std::string& /*node*/) {
  HOLDFAST_TRY(const auto there, plugged());
  const auto found = there.find(serial);
  if (found != there.end()) return make_link(serial, found->second);
  HOLDFAST_TRY(const std::string device, add_loop(image));
  return make_link(serial, device);
}

Status LoopBays::unplug(const std::string& serial) {
  HOLDFAST_TRY(const auto there, plugged());
  const auto found = there.find(serial);
  if (found != there.end()) {
    HOLDFAST_TRY(const bool held, is_device_held(found->second));
    if (held) return fail(Code::kFailedPrecondition, found->second + " is mounted or held");
  }
  std::error_code error;
  std::filesystem::remove(link_of(serial), error);
  return found == there.end() ? Status{} : remove_loop(found->second);
}

Status LoopBays::resize(const std::string& serial) {
  HOLDFAST_TRY(const auto there, plugged());
  const auto found = there.find(serial);
  return found == there.end() ? Status{} : resize_loop(found->second);
}

}  // namespace holdfast::disk
