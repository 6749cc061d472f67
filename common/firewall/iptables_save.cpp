#include "common/firewall/iptables_save.h"

#include <charconv>

namespace holdfast::firewall {
namespace {

/// The text up to `separator`, which is taken off `rest` with it.
std::string_view take_until(std::string_view& rest, char separator) {
  const std::size_t end = rest.find(separator);
  const std::string_view taken = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  return taken;
}

std::uint64_t number(std::string_view text) {
  std::uint64_t out = 0;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

/// "-A CHAIN REST", or with counters "[12:34] -A CHAIN REST".
void read_rule(std::string_view line, SavedTable& table) {
  SavedTable::Count count;
  if (line.starts_with('[')) {
    line.remove_prefix(1);
    std::string_view counters = take_until(line, ' ');
    count.packets = number(take_until(counters, ':'));
    count.bytes = number(take_until(counters, ']'));
  }
  if (take_until(line, ' ') != "-A") return;
  const std::string_view chain = take_until(line, ' ');
  if (chain.empty()) return;
  table.rules[std::string(chain)].emplace_back(line);
  table.counts[std::string(chain)].push_back(count);
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
