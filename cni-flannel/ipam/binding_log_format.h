#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cni-flannel/ipam/binding.h"

/// The text of a binding log: a line is "<CRC-32C of the rest, 8 hex digits> <fields>\n", the first one
/// "<crc> holdfast-bindings 1". A record's fields are, with one blank between them: sequence, state (present,
/// absent, ended), namespace, pod, interface, uid, container id, boot id, host link, stale links, addresses,
/// wall time (seconds since 1970), uptime (seconds). Lists have commas. Bytes that would be in the way are
/// %XX; an empty field is "-". The last line of a key counts.
namespace holdfast::flannel {

/// What is in a log, whatever its condition.
struct ParsedLog {
  bool ours = false;  ///< the first line is a header of the version we write, or damaged but followed by
                      ///< records
  std::vector<Binding> bindings;  ///< last record of each key, without ended ones, in file order
  std::uint64_t last_sequence = 0;
  std::size_t lines = 0;          ///< records, superseded ones included
  std::size_t valid_bytes = 0;    ///< up to the end of the last good line
  std::size_t damaged_lines = 0;  ///< bad lines before that
};

/// Never fails; `ours` is false for text of another kind or of a later version.
[[nodiscard]] ParsedLog parse_binding_log(std::string_view text);
/// One line with its line feed.
[[nodiscard]] std::string format_record(const Binding& binding);
[[nodiscard]] std::string format_log_header();

}  // namespace holdfast::flannel
