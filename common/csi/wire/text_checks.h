#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/csi/wire/validation.h"

namespace holdfast::csi {

/// Whether `text` keeps to `rule`. Errors: as validate(), naming `path`.
[[nodiscard]] Status check_text(std::string_view text, const FieldRule& rule, const std::string& path);

/// "[prefix/]name": the name as a label's, the prefix as a domain's, 63 bytes each at most.
/// Source: CSI specification, Topology.
[[nodiscard]] bool is_topology_key(std::string_view text);

/// The beginning of a text of others, for a message: no more than 64 bytes and no control characters.
[[nodiscard]] std::string shown(std::string_view text);

}  // namespace holdfast::csi
