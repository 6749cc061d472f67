#include "common/inspect/text_table.h"

#include <algorithm>
#include <cstddef>

#include "common/base/text.h"

namespace holdfast {
namespace {

constexpr std::size_t kWidestCell = 2000;  // bytes

}  // namespace

std::string text_table(std::vector<std::vector<std::string>> rows) {
  std::vector<std::size_t> widths;
  for (std::vector<std::string>& row : rows) {
    for (std::string& cell : row) cell = printable(cell, kWidestCell);
  }
  for (const std::vector<std::string>& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const std::vector<std::string>& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      out += row[i];
      if (i + 1 < row.size()) out.append(widths[i] - row[i].size() + 2, ' ');
    }
    out += '\n';
  }
  return out;
}

}  // namespace holdfast
