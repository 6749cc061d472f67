#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "common/base/result.h"

namespace holdfast::disk {

/// Where a simulated cloud puts disks into machines: into this one, whatever the cloud calls it, or into
/// others. What is there is told by the machines themselves, so a simulator that was killed finds it again.
/// Disks are told apart by their serial numbers. Not thread-safe. Errors of all: errno of the call that
/// failed, naming the disk.
class DiskBays {
 public:
  DiskBays() = default;
  DiskBays(const DiskBays&) = delete;
  DiskBays& operator=(const DiskBays&) = delete;
  virtual ~DiskBays() = default;

  /// The disks that are there, with the names of their devices ("/dev/sda").
  virtual Result<std::map<std::string, std::string>> plugged() = 0;
  /// One that is there is left alone. `node`: the machine of the cloud's that it is attached to.
  virtual Status plug(const std::string& serial, const std::filesystem::path& image,
                      const std::string& node) = 0;
  /// One that is not there succeeds. Errors: kFailedPrecondition while somebody on that machine uses it.
  virtual Status unplug(const std::string& serial) = 0;
  /// The device of a disk that is there has its image's size from then on.
  virtual Status resize(const std::string& serial) = 0;
};

}  // namespace holdfast::disk
