#pragma once

#include <string>
#include <vector>

namespace holdfast::flannel {

/// Rows of text for people, in columns two blanks apart, the first row being the heads. All rows have as many
/// cells; the last column is as wide as it likes.
[[nodiscard]] std::string text_table(const std::vector<std::vector<std::string>>& rows);

}  // namespace holdfast::flannel
