#include "csi-lvm/volumes/pool_spare.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "common/base/text.h"
#include "csi-lvm/lvm/lvm_command.h"
#include "csi-lvm/volumes/volume_tags.h"

namespace holdfast::lvm {
namespace {

// "lvol0", as LVM calls a volume that nobody has named.
bool is_drawn_name(std::string_view name) {
  constexpr std::string_view kPrefix = "lvol";
  return name.starts_with(kPrefix) && name.size() > kPrefix.size() &&
         name.find_first_not_of("0123456789", kPrefix.size()) == std::string_view::npos;
}

std::optional<PoolSpare> read_tag(std::string_view text) {
  const std::string prefix = tag(kSpareTag, "");
  if (!text.starts_with(prefix)) return std::nullopt;
  text.remove_prefix(prefix.size());
  PoolSpare spare;
  spare.pool = take_until(text, ':');
  const std::string_view digits = take_until(text, ':');
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), spare.most_bytes);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  if (!check_name(spare.pool)) return std::nullopt;
  spare.cluster = text;
  return spare;
}

}  // namespace

std::string spare_tag(const PoolSpare& spare) {
  return tag(kSpareTag, spare.pool + ":" + std::to_string(spare.most_bytes) + ":" + spare.cluster);
}

std::vector<PoolSpare> begun_spares(const VolumeGroup& group, const std::string& cluster) {
  std::vector<PoolSpare> found;
  for (const std::string& text : group.tags) {
    std::optional<PoolSpare> spare = read_tag(text);
    if (spare && spare->cluster == cluster) found.push_back(*std::move(spare));
  }
  return found;
}

bool has_drawn_names(const VolumeGroup& group) {
  return std::ranges::any_of(group.volumes, is_drawn_name, &LogicalVolume::name);
}

bool may_be(const PoolSpare& spare, const LogicalVolume& volume) {
  return is_drawn_name(volume.name) && volume.tags.empty() && volume.layout == Layout::kLinear &&
         volume.origin.empty() && !volume.open && volume.size_bytes <= spare.most_bytes;
}

}  // namespace holdfast::lvm
