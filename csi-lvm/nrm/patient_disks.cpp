#include "csi-lvm/nrm/patient_disks.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace holdfast::nrm {

struct PatientDisks::Look {
  // Whether it ended in this time.
  bool wait(std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex);
    return ended.wait_for(lock, patience, [this] { return probe.has_value(); });
  }
  void end(Probe result) {
    {
      const std::scoped_lock lock(mutex);
      probe = std::move(result);
    }
    ended.notify_all();
  }

  std::mutex mutex;  // guards probe
  std::condition_variable ended;
  std::optional<Probe> probe;
};

Probe PatientDisks::probe(const block::DeviceIdentity& device) {
  const auto hanging = hanging_.find(device.kernel_name);
  const bool hangs = hanging != hanging_.end() && !hanging->second->wait({});
  if (!hangs) {
    hanging_.erase(device.kernel_name);
    auto look = std::make_shared<Look>();
    std::thread([look, disks = disks_, device] { look->end(disks->probe(device)); }).detach();
    if (look->wait(patience_)) return *std::exchange(look->probe, std::nullopt);
    hanging_[device.kernel_name] = std::move(look);
  }
  Probe probe;
  probe.content =
      fail(Code::kDeadlineExceeded,
           device_path(device.kernel_name) + " did not answer within " +
               std::to_string(std::chrono::duration_cast<std::chrono::seconds>(patience_).count()) +
               " s: it may be failing, see the kernel's log; replace it");
  return probe;
}

}  // namespace holdfast::nrm
