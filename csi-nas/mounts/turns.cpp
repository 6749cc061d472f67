#include "csi-nas/mounts/turns.h"

namespace holdfast::nas {

Result<Turns::Turn> Turns::take(const std::string& name, std::chrono::nanoseconds patience) {
  std::unique_lock lock(mutex_);
  if (!news_.wait_for(lock, patience, [&] { return !taken_.contains(name); })) {
    return fail(Code::kUnavailable, "another call works on " + name + " and takes long: ask again");
  }
  taken_.insert(name);
  return Turn(*this, name);
}

void Turns::release(const std::string& name) {
  const std::scoped_lock lock(mutex_);
  taken_.erase(name);
  news_.notify_all();
}

}  // namespace holdfast::nas
