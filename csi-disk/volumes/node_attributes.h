#pragma once

#include "common/base/result.h"
#include "csi-disk/volumes/parameter_keys.h"

namespace holdfast::disk {

/// Whether a node takes what a class hands to it (DiskClass::for_node, with the file system that CSI's
/// capability names), by the node's own rules: what it refuses would be a disk that is made, paid, and never
/// staged, as a volume's attributes do not change. Errors: kInvalidArgument, naming mkfsOptions or sysConfig.
Status check_for_node(const Parameters& for_node);

}  // namespace holdfast::disk
