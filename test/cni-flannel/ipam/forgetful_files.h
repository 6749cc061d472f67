#pragma once

#include <cstdint>

#include "common/base/files.h"

namespace holdfast::flannel::test {

/// Forwards all but syncs: a store that forgot them, or (with kBoth) a test that has no time for a disk.
class ForgetfulFiles : public Files {
 public:
  enum class Forgets : std::uint8_t { kFiles, kFolders, kBoth };
  ForgetfulFiles(Files& files, Forgets forgets) : files_(files), forgets_(forgets) {}

  Result<std::optional<std::string>> read(const std::filesystem::path& path, std::size_t max) override {
    return files_.read(path, max);
  }
  Result<std::vector<std::string>> list(const std::filesystem::path& folder) override {
    return files_.list(folder);
  }
  Status create(const std::filesystem::path& path, std::string_view bytes, mode_t mode) override {
    return files_.create(path, bytes, mode);
  }
  Status append(const std::filesystem::path& path, std::string_view bytes, mode_t mode) override {
    return files_.append(path, bytes, mode);
  }
  Status overwrite(const std::filesystem::path& path, std::string_view bytes, mode_t mode) override {
    return files_.overwrite(path, bytes, mode);
  }
  Status truncate(const std::filesystem::path& path, std::size_t bytes) override {
    return files_.truncate(path, bytes);
  }
  Status sync_file(const std::filesystem::path& path) override {
    return forgets_ != Forgets::kFolders ? Status{} : files_.sync_file(path);
  }
  Status sync_folder(const std::filesystem::path& folder) override {
    return forgets_ != Forgets::kFiles ? Status{} : files_.sync_folder(folder);
  }
  Status rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    return files_.rename(from, to);
  }
  Status rename_new(const std::filesystem::path& from, const std::filesystem::path& to) override {
    return files_.rename_new(from, to);
  }
  Status remove(const std::filesystem::path& path) override { return files_.remove(path); }
  Status make_folders(const std::filesystem::path& folder, mode_t mode) override {
    return files_.make_folders(folder, mode);
  }
  Result<Fd> lock(const std::filesystem::path& path, std::chrono::milliseconds patience) override {
    return files_.lock(path, patience);
  }

 private:
  Files& files_;
  Forgets forgets_;
};

}  // namespace holdfast::flannel::test
