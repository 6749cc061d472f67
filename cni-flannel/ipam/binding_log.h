#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/files.h"
#include "common/base/result.h"

namespace holdfast::flannel {

/// What a binding is known by, over any number of sandboxes. The network is the file's.
struct PodKey {
  std::string name_space;
  std::string name;
  std::string ifname;
  auto operator<=>(const PodKey&) const = default;
};

enum class BindingState : std::uint8_t {
  kPresent,  ///< a sandbox got the addresses; holds for that boot only
  kAbsent,   ///< its DEL or a GC has been here; the addresses stay reserved
  kEnded,    ///< the addresses are no longer the pod's
};

/// One record of the log: what a pod has, or had last.
struct Binding {
  std::uint64_t sequence = 0;  ///< order of all changes of one network; the clock has no say
  BindingState state = BindingState::kPresent;
  PodKey key;
  std::string uid;                       ///< empty when the runtime gives none
  std::string container_id;              ///< the sandbox that got the addresses last
  std::string boot_id;                   ///< boot of this record
  std::string host_link;                 ///< host end of that sandbox; empty when unknown
  std::vector<std::string> stale_links;  ///< host ends of earlier sandboxes that its ADD was told to delete
  std::vector<IpAddress> addresses;
  std::chrono::sys_seconds wall_time;  ///< of this record; for binding_ttl and people, never for order
  std::chrono::seconds uptime{0};      ///< time since boot of this record; negative: long ago (imported)

  auto operator<=>(const Binding&) const = default;
};

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

/// The bindings of one network in an append-only text file:
///
///     <state_dir>/<network>.bindings           0600, the folder 0700
///     <state_dir>/<network>.bindings.damaged   the last one that had to be mended
///
/// A line is "<CRC-32C of the rest, 8 hex digits> <fields>\n", the first one "<crc> holdfast-bindings 1". A
/// record's fields are, with one blank between them: sequence, state (present, absent, ended), namespace,
/// pod, interface, uid, container id, boot id, host link, stale links, addresses, wall time (seconds since
/// 1970), uptime (seconds). Lists have commas. Bytes that would be in the way are %XX; an empty field is "-".
/// The last line of a key counts.
///
/// A torn tail is what a power cut leaves: it is cut before the next append. A damaged line before good ones
/// is not: it is passed over, the file copied aside and written anew. Both are told in notices.
///
/// Every call needs the network's lock, but sync(). That one may come after the lock is released, so that one
/// flush serves all ADDs that appended before it. A compaction may come between an append and its sync; then
/// the sync goes to the new file, while a power cut may still bring back the old name. Therefore compaction
/// makes the old file durable before it replaces it: under either name the record is there.
class BindingLog {
 public:
  /// Holds the references.
  BindingLog(Files& files, const std::filesystem::path& state_dir, const std::string& network,
             std::vector<std::string>& notices);

  /// Reads the file; true when there is one of ours. What is not ours is left as it is until start().
  Result<bool> load();
  /// Begins a log with these bindings, durably; sets what is there aside.
  Status start(std::vector<Binding> bindings);
  /// Adds records, numbered in order, and applies them to bindings(). Not durable. Mends the file first when
  /// needed.
  Status append(std::vector<Binding> records);
  /// Makes what was appended durable.
  Status sync();
  /// Writes the file anew, durably, when it has more than `factor` lines a binding (and some).
  Status compact(std::size_t factor);

  [[nodiscard]] const std::vector<Binding>& bindings() const { return log_.bindings; }

 private:
  Status mend();
  Status rewrite();
  void apply(const Binding& record);

  Files& files_;
  std::filesystem::path path_;
  std::vector<std::string>& notices_;
  ParsedLog log_;
  std::string bytes_;  // of the file at load(), kept only when it has damaged lines
  std::size_t file_bytes_ = 0;
  bool set_aside_ = false;  // there is a file which is not ours
};

}  // namespace holdfast::flannel
