#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "csi-lvm/lvm/lvm_runner.h"

/// What csi-lvm and its worker say to each other, over a stream socket.
///
///     csi-lvm  -> worker   one string: the command, as liblvm2cmd takes it
///     worker   -> csi-lvm  three: "1" or "0" whether it succeeded, the output, the talk
///
/// A string is its length, four bytes, least significant first, and its bytes.
namespace holdfast::lvm {

/// How the worker finds its end of the socket.
inline constexpr int kWorkerFd = 3;

/// Errors: errno of write(2): EPIPE when the other has ended.
Status send_strings(int fd, const std::vector<std::string_view>& strings);

/// The next `count` strings. `deadline` counts from now; zero waits for ever. Errors: kDeadlineExceeded;
/// kUnavailable when the other ended before the first byte of them, kDataLoss in the middle; kOutOfRange for
/// a string longer than any report (64 MiB); errno of read(2).
Result<std::vector<std::string>> receive_strings(int fd, std::size_t count,
                                                 std::chrono::milliseconds deadline);

}  // namespace holdfast::lvm
