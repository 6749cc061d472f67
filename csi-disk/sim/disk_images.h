#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "common/base/fd.h"
#include "common/base/result.h"

namespace holdfast::disk {

/// What disks and snapshots of a simulated cloud hold, in sparse files:
///
///     FOLDER/disks/SERIAL.img
///     FOLDER/snapshots/ID.img
///     FOLDER/lost+found/NAME.img   that nobody knew at a start; with ".N" behind it where one is called so
///     FOLDER/lock                  held by the simulator whose images they are
///
/// An image is made beside its name, and takes it when it is whole: one that is there is never written over.
/// Errors of all: errno of the call that failed, naming the file.
class DiskImages {
 public:
  explicit DiskImages(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// Makes the folders, when they are not there. Errors: kUnavailable while another simulator has them.
  Status open();
  [[nodiscard]] std::filesystem::path disk(const std::string& serial) const;
  [[nodiscard]] std::filesystem::path snapshot(const std::string& id) const;

  /// A blank one of that size. Errors: kAlreadyExists.
  static Status create(const std::filesystem::path& image, std::uint64_t bytes);
  /// `to` holds what `from` does, and zeros up to `bytes` when it is to be larger. Holes stay holes. Errors:
  /// kAlreadyExists.
  static Status copy(const std::filesystem::path& from, const std::filesystem::path& to, std::uint64_t bytes);
  /// One that is that large is left alone. Errors: kDataLoss when it is not there.
  static Status grow(const std::filesystem::path& image, std::uint64_t bytes);
  /// The images of all others.
  [[nodiscard]] Result<std::vector<std::filesystem::path>> others(
      const std::set<std::string>& serials, const std::set<std::string>& snapshots) const;
  /// One that is not there is removed.
  static Status remove(const std::filesystem::path& image);
  /// Into lost+found, with all that it holds. Where it is then.
  [[nodiscard]] Result<std::filesystem::path> set_aside(const std::filesystem::path& image) const;

 private:
  std::filesystem::path folder_;
  Fd lock_;
};

}  // namespace holdfast::disk
