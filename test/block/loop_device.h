#pragma once

#include <cstdint>
#include <string>

#include "common/base/fd.h"

namespace holdfast::test {

/// A loop device over a file in memory. The kernel takes it apart at its last close or unmount, also when the
/// test is killed. Failing to make one ends the case.
class LoopDevice {
 public:
  explicit LoopDevice(std::uint64_t bytes, std::uint32_t sector_bytes = 512);

  [[nodiscard]] const std::string& path() const { return path_; }
  /// Makes it larger, as a cloud disk grows.
  void grow_to(std::uint64_t bytes);
  /// Takes over the content of a disk of the same size, of which nothing was read here yet.
  void copy_from(const LoopDevice& source);

 private:
  Fd file_;
  Fd device_;
  std::string path_;
};

}  // namespace holdfast::test
