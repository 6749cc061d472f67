#include "egw-gateway/helper/no_masquerade_file.h"

#include <string>

#include "common/base/state_file.h"

namespace holdfast::gateway {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{1} << 20;
constexpr mode_t kFolderMode = 0755;
constexpr mode_t kFileMode = 0644;

}  // namespace

Result<bool> put_no_masquerade(Files& files, const std::filesystem::path& folder,
                               const std::vector<Cidr>& ranges) {
  const std::filesystem::path path = folder / kNoMasqueradeFile;
  HOLDFAST_TRY(const std::optional<std::string> there, files.read(path, kMaxBytes));
  if (ranges.empty()) {
    if (there) HOLDFAST_CHECK(files.remove(path));
    return there.has_value();
  }
  std::string text =
      "# Written by egw-helper: pods keep their source towards these, and these towards pods.\n";
  for (const Cidr& range : ranges) text += range.to_string() + "\n";
  if (there == text) return false;
  HOLDFAST_CHECK(files.make_folders(folder, kFolderMode));
  HOLDFAST_CHECK(replace_file(files, path, text, kFileMode));
  return true;
}

}  // namespace holdfast::gateway
