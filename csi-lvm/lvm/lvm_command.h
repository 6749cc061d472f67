#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace holdfast::lvm {

/// What a command does to the metadata on the disks. One that changes it is never killed: LVM interrupted
/// between its writes can leave a suspended device, and everything that touches that hangs.
enum class Effect { kReports, kChanges };

/// One LVM command, as words: "lvs", "--units", "b". Runners refuse what check_command() refuses.
struct LvmCommand {
  Effect effect = Effect::kReports;
  std::vector<std::string> words;  ///< words[0] is the verb; without "lvm" before it
  /// The last word is the volume that it is for, and one command may serve several that differ in nothing
  /// else. How it ended for each is told by the state after it, as LVM's answer is for all of them.
  bool joins = false;
  /// Run in a process of its own: what LVM has once matched with a devices file it keeps in mind, also when a
  /// later command goes by another file, or by none.
  bool apart = false;
};

/// Whether `other` may be run with it as one command.
[[nodiscard]] bool may_join(const LvmCommand& command, const LvmCommand& other);

/// How many words a command may have. liblvm2cmd takes 64, of which some are its own.
inline constexpr std::size_t kMostLvmWords = 60;

/// How many volumes or places a command may name behind its other words.
inline constexpr std::size_t kMostOperands = 40;

/// liblvm2cmd takes a command as one line and splits it by rules of its own, into 64 words at most; so no
/// word may hold what these rules know: quotes, backslashes, control characters, and blanks but in the value
/// of
/// --config, which is ours. Errors: kInvalidArgument, naming the word.
Status check_command(const LvmCommand& command);

/// The command as liblvm2cmd takes it. Of a checked command only.
[[nodiscard]] std::string to_line(const LvmCommand& command);

/// Whether LVM takes it as the name of a group or a volume: 1..127 characters of [a-zA-Z0-9+_.-], the first
/// no hyphen, none that LVM keeps for itself ("snapshot...", "..._tdata"). Errors: kInvalidArgument. Source:
/// lvm(8), VALID NAMES.
Status check_name(std::string_view name);

/// Both names, and that the device that they make together has a name within device-mapper's 127 bytes, where
/// a hyphen counts twice. Errors: kInvalidArgument.
Status check_volume_name(std::string_view group, std::string_view volume);

/// 1..1024 characters of [a-zA-Z0-9+_.-/=!:&#], the first no hyphen. Errors: kInvalidArgument.
/// Source: lvm(8), VALID NAMES.
Status check_tag(std::string_view tag);

/// An absolute path below /dev without "..", "//" or characters that a command may not hold. Errors:
/// kInvalidArgument.
Status check_device_path(std::string_view path);

}  // namespace holdfast::lvm
