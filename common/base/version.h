#pragma once

#include <string_view>

namespace holdfast {

/// Version of all programs of this tree, "0.1.0". Source: project() in CMakeLists.txt.
[[nodiscard]] std::string_view version();

}  // namespace holdfast
