#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>

#include "common/base/result.h"

namespace holdfast::disk {

/// What disks and snapshots of a simulated cloud hold, in sparse files:
///
///     FOLDER/disks/SERIAL.img
///     FOLDER/snapshots/ID.img
///
/// Errors of all: errno of the call that failed, naming the file.
class DiskImages {
 public:
  explicit DiskImages(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// Makes the folders, when they are not there.
  Status open();
  [[nodiscard]] std::filesystem::path disk(const std::string& serial) const;
  [[nodiscard]] std::filesystem::path snapshot(const std::string& id) const;

  /// A blank one of that size in place of what is there.
  static Status create(const std::filesystem::path& image, std::uint64_t bytes);
  /// `to` holds what `from` does, and zeros up to `bytes` when it is to be larger. Holes stay holes.
  static Status copy(const std::filesystem::path& from, const std::filesystem::path& to, std::uint64_t bytes);
  /// One that is that large is left alone. Errors: kDataLoss when it is not there.
  static Status grow(const std::filesystem::path& image, std::uint64_t bytes);
  /// Removes the images of all others.
  Status keep_only(const std::set<std::string>& serials, const std::set<std::string>& snapshots) const;

 private:
  std::filesystem::path folder_;
};

}  // namespace holdfast::disk
