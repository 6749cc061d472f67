#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/block/volume_stats.h"

/// What a driver and its child nascmd say to each other, a message each (SOCK_SEQPACKET).
///
///     a call      its words (nascmd.h), each ended by a zero byte
///     an answer   ok\n<what the call returns>
///                 <code> <errno>\n<the error's message>      the code as of Code
namespace holdfast::nas {

/// The longest message either way. No word of ours comes near: paths and mount options are of a few KiB.
inline constexpr std::size_t kMostMessageBytes = std::size_t{64} * 1024;

/// Errors: kInvalidArgument for a word with a zero byte, and for words that make no message.
[[nodiscard]] Result<std::string> write_words(std::span<const std::string> words);
[[nodiscard]] std::vector<std::string> read_words(std::string_view message);

/// A message of an error that is too long is cut.
[[nodiscard]] std::string write_answer(const Result<std::string>& done);

/// `verb` is for the message about what is no answer, as of a child that was killed by others: kUnavailable.
[[nodiscard]] Result<std::string> read_answer(std::string_view answer, std::string_view verb);

/// A usage as an answer: six numbers with blanks between, in the order of block::VolumeUsage.
[[nodiscard]] std::string write_usage(const block::VolumeUsage& usage);
/// Errors: kInternal for what is none.
[[nodiscard]] Result<block::VolumeUsage> read_usage(std::string_view text);

}  // namespace holdfast::nas
