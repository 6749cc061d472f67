#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace holdfast {

/// Without the ASCII white space around it.
[[nodiscard]] std::string_view trim(std::string_view text);

/// The text up to `separator`, which is taken off `rest` with it; all of `rest` when it has none.
[[nodiscard]] std::string_view take_until(std::string_view& rest, char separator);

/// ASCII letters alone; no locale decides.
[[nodiscard]] std::string lower_case(std::string_view text);

/// A boolean as StorageClasses write it: true for yes, true and 1 in any case.
[[nodiscard]] bool is_true(std::string_view text);

/// For a terminal or a page: printable ASCII and whole UTF-8 characters above U+00A0 stay, any other byte is
/// \xNN, so that nothing ends a line or moves the cursor. Text of more than `most` bytes ends with "...".
[[nodiscard]] std::string printable(std::string_view text, std::size_t most);

}  // namespace holdfast
