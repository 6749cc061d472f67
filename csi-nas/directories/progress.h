#pragma once

#include <cstdint>
#include <functional>

namespace holdfast::nas {

/// How far a work has come.
struct Progress {
  std::uint64_t entries = 0;  ///< files, folders and links that are done
  std::uint64_t bytes = 0;    ///< of files' content
};

/// Told after each entry and each piece of a large file.
using ProgressSink = std::function<void(const Progress&)>;

}  // namespace holdfast::nas
