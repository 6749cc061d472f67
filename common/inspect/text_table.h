#pragma once

#include <string>
#include <vector>

namespace holdfast {

/// Rows of text for people, in columns two blanks apart, the first row being the heads. All rows have as many
/// cells; the last column is as wide as it likes. What could move the cursor is shown as \xNN.
[[nodiscard]] std::string text_table(std::vector<std::vector<std::string>> rows);

}  // namespace holdfast
