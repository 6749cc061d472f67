#include "csi-disk/driver/attach_room.h"

#include <algorithm>

namespace holdfast::disk {

std::uint32_t room_for_volumes(std::uint32_t limit, const std::vector<DiskIdentity>& attached,
                               const std::vector<DiskIdentity>& ours) {
  if (limit == 0) return 0;
  const auto others =
      static_cast<std::uint32_t>(std::ranges::count_if(attached, [&](const DiskIdentity& disk) {
        return std::ranges::none_of(ours, [&](const DiskIdentity& each) { return is_same(each, disk); });
      }));
  const std::uint32_t foreign = others > 0 ? others - 1 : 0;  // it boots from one of them
  return foreign < limit ? limit - foreign : 1;
}

}  // namespace holdfast::disk
