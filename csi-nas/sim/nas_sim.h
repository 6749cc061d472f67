#pragma once

#include <iosfwd>
#include <span>
#include <string>

namespace holdfast::nas {

/// The program nas-sim: a NAS cloud on this machine, for those who try csi-nas without one. It keeps file
/// systems, mount targets, access points and quotas, and serves no file. Front tells how faults are made.
int nas_sim(std::span<const std::string> arguments, std::ostream& out, std::ostream& error);

}  // namespace holdfast::nas
