#include "csi-nas/driver/nas_probe.h"

#include <cerrno>
#include <chrono>

namespace holdfast::nas {
namespace {

constexpr std::chrono::seconds kPatience{3};

}  // namespace

void NasProbe::keep(const std::string& path, const Result<block::VolumeUsage>& usage) {
  const std::scoped_lock lock(mutex_);
  --looks_;
  ended_.notify_all();
  if (usage) {
    stale_.erase(path);
  } else if (usage.error().sys_errno == ESTALE) {
    stale_.insert(path);
  }
}

Result<block::VolumeLook> NasProbe::look(const std::string& path) {
  {
    const std::scoped_lock lock(mutex_);
    if (closed_) return fail(Code::kUnavailable, "the program ends");
    ++looks_;
  }
  const auto usage = mounts_.look(path, mounts_.deadline(kPatience));
  keep(path, usage);
  if (!usage) return tl::unexpected(usage.error());
  return block::VolumeLook{.usage = *usage, .io_errors = 0};
}

void NasProbe::close() {
  std::unique_lock lock(mutex_);
  closed_ = true;
  ended_.wait(lock, [this] { return looks_ == 0; });
}

bool NasProbe::is_stale(const std::string& path) const {
  const std::scoped_lock lock(mutex_);
  return stale_.contains(path);
}

}  // namespace holdfast::nas
