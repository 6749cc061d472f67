#include "csi-disk/driver/queue_tuning.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/fd.h"

namespace holdfast::disk {

Status apply(const std::vector<QueueSetting>& settings, const std::string& disk,
             const std::filesystem::path& sys) {
  for (const QueueSetting& each : settings) {
    const std::string path = (sys / "block" / disk / "queue" / each.name).native();
    const Fd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_TRUNC));
    if (!file.valid()) return fail_errno(errno, "sysConfig: open " + path);
    if (::write(file.get(), each.value.data(), each.value.size()) < 0) {
      return fail_errno(errno, "sysConfig: write " + each.value + " to " + path);
    }
  }
  return {};
}

}  // namespace holdfast::disk
