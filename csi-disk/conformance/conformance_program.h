#pragma once

#include <iosfwd>
#include <span>
#include <string>

namespace holdfast::disk {

/// The program disk-backend-conformance: tries a disk service, tells promise by promise whether it keeps what
/// csi-disk relies on, and ends with status 1 when it does not.
int disk_backend_conformance(std::span<const std::string> arguments, std::ostream& out, std::ostream& error);

}  // namespace holdfast::disk
