#pragma once

#include <filesystem>

#include "common/base/fd.h"
#include "common/base/result.h"
#include "test/bench/cni/figures.h"

namespace holdfast::bench {

/// What the disk asks for making something durable, measured beside everything else.
/// "One floor" is the median of `appends`: the cheapest durable change there is.
class FsyncFloor {
 public:
  /// Keeps its files in `folder`.
  static Result<FsyncFloor> open(const std::filesystem::path& folder);

  /// Adds one measurement of each.
  Status measure();

  Figures appends;   ///< write of 300 bytes to the end of a file + fdatasync
  Figures replaces;  ///< a new file of 300 bytes: write + fsync + rename over the old one

 private:
  FsyncFloor(std::filesystem::path folder, Fd log) : folder_(std::move(folder)), log_(std::move(log)) {}

  std::filesystem::path folder_;
  Fd log_;
};

}  // namespace holdfast::bench
