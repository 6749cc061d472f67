#pragma once

#include <string_view>

namespace holdfast {

/// Without the ASCII white space around it.
[[nodiscard]] std::string_view trim(std::string_view text);

/// The text up to `separator`, which is taken off `rest` with it; all of `rest` when it has none.
[[nodiscard]] std::string_view take_until(std::string_view& rest, char separator);

}  // namespace holdfast
