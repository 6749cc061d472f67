#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/block/volume_stats.h"

/// What nascmd writes to its standard output, and ends with:
///
///     ok\n<value>
///     <code> <errno>\n<message>
namespace holdfast::nas {

[[nodiscard]] std::string write_answer(const Result<std::string>& done);

/// `verb` is for the message about what is no answer, as of a child that was killed by others: kUnavailable.
[[nodiscard]] Result<std::string> read_answer_of_child(std::string_view answer, std::string_view verb);

/// A usage as an answer: six numbers, in the order of block::VolumeUsage.
[[nodiscard]] std::string write_usage(const block::VolumeUsage& usage);
/// Errors: kInternal for what is none.
[[nodiscard]] Result<block::VolumeUsage> read_usage(std::string_view text);

}  // namespace holdfast::nas
