#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "cni-flannel/ipam/binding.h"
#include "cni-flannel/ipam/binding_log_format.h"
#include "common/base/files.h"
#include "common/base/result.h"

namespace holdfast::flannel {

/// The bindings of one network in an append-only text file:
///
///     <state_dir>/<network>.bindings           0600, the folder 0700
///     <state_dir>/<network>.bindings.damaged   the last one that had to be mended
///
/// A line a change (binding_log_format.h).
///
/// A torn tail is what a power cut leaves: it is cut before the next append. A damaged line before good ones
/// is not: it is passed over, the file copied aside and written anew. Both are told in notices. The copy is
/// for people: where none can be made, that is told, and pods go on.
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
