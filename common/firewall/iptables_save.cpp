#include "common/firewall/iptables_save.h"

#include <algorithm>

namespace holdfast::firewall {
namespace {

/// The text up to `separator`, which is taken off `rest` with it.
std::string_view take_until(std::string_view& rest, char separator) {
  const std::size_t end = rest.find(separator);
  const std::string_view taken = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  return taken;
}

/// "-A CHAIN REST", or with counters "[12:34] -A CHAIN REST".
void read_rule(std::string_view line, SavedTable& table) {
  if (line.starts_with('[')) static_cast<void>(take_until(line, ' '));
  if (take_until(line, ' ') != "-A") return;
  const std::string_view chain = take_until(line, ' ');
  if (!chain.empty()) table.rules[std::string(chain)].emplace_back(line);
}

}  // namespace

SavedTables parse_iptables_save(std::string_view text) {
  SavedTables out;
  SavedTable* table = nullptr;
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    if (line.starts_with('*')) {
      table = &out[std::string(line.substr(1))];
    } else if (line == "COMMIT") {
      table = nullptr;
    } else if (table != nullptr && line.starts_with(':')) {
      line.remove_prefix(1);
      const std::string chain(take_until(line, ' '));
      table->policies[chain] = std::string(take_until(line, ' '));
    } else if (table != nullptr) {
      read_rule(line, *table);
    }
  }
  return out;
}

}  // namespace holdfast::firewall
