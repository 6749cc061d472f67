#pragma once

#include <span>
#include <string>
#include <string_view>

namespace holdfast::nas {

/// The descriptor on which a child has its record's file (job_record.h), which it keeps locked.
inline constexpr int kRecordFd = 3;

/// The word, before a process number, by which a child is told to end with the thread of that process which
/// began it.
inline constexpr std::string_view kEndWith = "end-with=";

/// The child: carries out one order, told as words (to_words; the last may be kEndWith), writes how far it
/// came over the record that it finds on kRecordFd, and at last how it ended. Returns the exit status: 0 when
/// it is done, 1 when it failed and the record says why, 2 when not even that could be written, or whoever
/// began it has ended.
int run_directory_worker(std::span<const std::string> words);

}  // namespace holdfast::nas
