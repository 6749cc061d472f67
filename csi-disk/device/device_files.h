#pragma once

#include <sys/types.h>

#include <string>

#include "common/base/fd.h"
#include "common/base/result.h"

namespace holdfast::disk {

/// A device file that is open, and the number that it was of when it was opened.
struct OpenDevice {
  Fd fd;
  dev_t number = 0;
};

/// Opens device files. The tests' one has files instead.
class DeviceFiles {
 public:
  DeviceFiles() = default;
  DeviceFiles(const DeviceFiles&) = delete;
  DeviceFiles& operator=(const DeviceFiles&) = delete;
  virtual ~DeviceFiles() = default;

  /// To be looked at: nobody else is kept from it. Errors: errno of open(2), above all kNotFound;
  /// kInvalidArgument when it is no block device.
  virtual Result<OpenDevice> open(const std::string& path) = 0;
};

class SystemDeviceFiles final : public DeviceFiles {
 public:
  Result<OpenDevice> open(const std::string& path) override;
};

}  // namespace holdfast::disk
