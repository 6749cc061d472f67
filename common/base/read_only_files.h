#pragma once

#include "common/base/files.h"

namespace holdfast {

/// Files that are read and never changed: for programs that only look. What would change them fails with
/// kPermissionDenied; making what is there durable does nothing.
class ReadOnlyFiles final : public Files {
 public:
  /// `files` outlives it.
  explicit ReadOnlyFiles(Files& files) : files_(files) {}

  Result<std::optional<std::string>> read(const std::filesystem::path& path, std::size_t max_bytes) override;
  Result<std::vector<std::string>> list(const std::filesystem::path& folder) override;
  Status create(const std::filesystem::path& path, std::string_view bytes, mode_t mode) override;
  Status append(const std::filesystem::path& path, std::string_view bytes, mode_t mode) override;
  Status overwrite(const std::filesystem::path& path, std::string_view bytes, mode_t mode) override;
  Status truncate(const std::filesystem::path& path, std::size_t bytes) override;
  Status sync_file(const std::filesystem::path& path) override;
  Status sync_folder(const std::filesystem::path& folder) override;
  Status rename(const std::filesystem::path& from, const std::filesystem::path& to) override;
  Status rename_new(const std::filesystem::path& from, const std::filesystem::path& to) override;
  Status remove(const std::filesystem::path& path) override;
  Status make_folders(const std::filesystem::path& folder, mode_t mode) override;
  Result<Fd> lock(const std::filesystem::path& path, std::chrono::milliseconds patience) override;

 private:
  Files& files_;
};

}  // namespace holdfast
