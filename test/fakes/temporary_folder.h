#pragma once

#include <filesystem>

namespace holdfast::test {

/// A new folder under TMPDIR (or /tmp) for one test, removed with all that is in it.
class TemporaryFolder {
 public:
  /// Ends the program when the folder cannot be made: no test can say anything then.
  TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path operator/(const std::filesystem::path& name) const {
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace holdfast::test
