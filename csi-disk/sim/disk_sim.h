#pragma once

#include <iosfwd>
#include <span>
#include <string>

namespace holdfast::disk {

/// The program disk-sim: a region of clouds' disks on this machine, for those who try csi-disk without a
/// cloud. It speaks the APIs of Alibaba Cloud ECS and of Tencent Cloud CBS. With --devices its disks have
/// content and are block devices of this machine while they are attached. Front and DiskService tell how
/// faults, nodes, stock and arrears are made.
int disk_sim(std::span<const std::string> arguments, std::ostream& out, std::ostream& error);

}  // namespace holdfast::disk
