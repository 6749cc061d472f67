#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "common/base/result.h"
#include "common/netlink/socket.h"

namespace holdfast::nl {

/// The number by which a generic netlink family is addressed, as its messages' type; nullopt when the kernel
/// has no such family and no module that brings it. `socket`: one of Protocol::kGeneric. The number is valid
/// until the module is taken out. Source: linux/genetlink.h, CTRL_CMD_GETFAMILY.
Result<std::optional<std::uint16_t>> find_generic_family(Socket& socket, std::string_view name);

}  // namespace holdfast::nl
