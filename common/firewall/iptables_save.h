#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::firewall {

/// One table as iptables-save(8) prints it.
struct SavedTable {
  std::map<std::string, std::string, std::less<>> policies;  ///< chain -> "ACCEPT", "DROP"; "-" for our own
  /// Chain -> its rules in order, each from behind the chain's name, without counters:
  /// `-s 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT`.
  std::map<std::string, std::vector<std::string>, std::less<>> rules;

  struct Count {
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
  };
  /// Chain -> what each of its rules has met; 0 where the text has no counters.
  std::map<std::string, std::vector<Count>, std::less<>> counts;
};

/// By the tables' names.
using SavedTables = std::map<std::string, SavedTable, std::less<>>;

/// Lines that are not understood are skipped: the tables hold rules of everybody. Does
/// no I/O and never fails.
[[nodiscard]] SavedTables parse_iptables_save(std::string_view text);

}  // namespace holdfast::firewall
