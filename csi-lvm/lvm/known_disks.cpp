#include "csi-lvm/lvm/known_disks.h"

#include <string_view>

#include "common/base/state_file.h"
#include "common/base/text.h"

namespace holdfast::lvm {
namespace {

constexpr StateKind kKind{.name = "lvm-disks", .version = 1};

}  // namespace

Result<std::set<std::string>> load_known_disks(Files& files, const std::filesystem::path& path) {
  HOLDFAST_TRY(const StateFile kept, read_state(files, path, kKind));
  std::set<std::string> ids;
  for (std::string_view rest = kept.content ? std::string_view(*kept.content) : std::string_view();
       !rest.empty();) {
    const std::string_view id = trim(take_until(rest, '\n'));
    if (!id.empty()) ids.emplace(id);
  }
  return ids;
}

Status save_known_disks(Files& files, const std::filesystem::path& path, const std::set<std::string>& ids) {
  std::string lines;
  for (const std::string& id : ids) lines.append(id).append(1, '\n');
  return write_state(files, path, kKind, lines);
}

}  // namespace holdfast::lvm
