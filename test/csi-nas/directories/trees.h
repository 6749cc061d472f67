#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "common/base/fd.h"
#include "test/fakes/temporary_folder.h"

/// Trees of files for the tests of csi-nas.
namespace holdfast::nas::test {

/// Every name below a folder, "a/b", and what it is: type, mode, owner, size, time, and content or target.
/// Files that are one by hard links bear the same number. Without what is in kOwnFolder at the top.
[[nodiscard]] std::map<std::string, std::string> told(const std::filesystem::path& folder);

/// `files` files of a few bytes in folders of ten, with links and an empty folder among them.
void plant(const std::filesystem::path& folder, int files);

/// Entries below `folder` whose names and targets nobody would choose: bytes that are no text, a newline, 255
/// bytes, words of shells, links to `outside` and to themselves.
void plant_hostile(const std::filesystem::path& folder, const std::filesystem::path& outside);

/// Folders within each other, "d/d/d", deeper than any path may be, with a file in each.
void plant_deep(const std::filesystem::path& folder, int levels);

void write_file(const std::filesystem::path& path, const std::string& content);
[[nodiscard]] std::string read_file(const std::filesystem::path& path);

/// Of a folder, to read.
[[nodiscard]] Fd open_folder(const std::filesystem::path& path);

/// A folder that stands for a share, and beside it what nobody may touch.
struct Share {
  explicit Share(const std::filesystem::path& beside);
  std::filesystem::path root;
  std::filesystem::path outside;
  /// What is outside is as it was.
  [[nodiscard]] bool untouched() const;
};

}  // namespace holdfast::nas::test
