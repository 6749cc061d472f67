#include "csi-nas/directories/copy_content.h"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

namespace holdfast::nas {
namespace {

constexpr std::uint64_t kPieceBytes = std::uint64_t{8} << 20;  // between two words about the progress
constexpr std::size_t kStreamBytes = std::size_t{1} << 20;
constexpr std::size_t kHoleBytes = std::size_t{64} << 10;  // the least run of zeros that is left out

bool is_zero(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char each) { return each == 0; });
}

// Writes all of it; runs of zeros become holes.
Status write_sparse(int target, std::string_view bytes, std::uint64_t at) {
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, kHoleBytes);
    if (is_zero(piece)) {
      bytes.remove_prefix(piece.size());
      at += piece.size();
      continue;
    }
    const ssize_t size = ::pwrite(target, piece.data(), piece.size(), static_cast<off_t>(at));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return fail_errno(errno, "write");
    bytes.remove_prefix(static_cast<std::size_t>(size));
    at += static_cast<std::uint64_t>(size);
  }
  return {};
}

// What tells that the file system, or this pair of them, cannot do it at all.
bool is_unable(int error) {
  return error == EOPNOTSUPP || error == ENOTTY || error == EXDEV || error == EINVAL || error == ENOSYS ||
         error == EBADF || error == EPERM || error == ETXTBSY;
}

}  // namespace

Status ContentCopier::copy(int source, int target, std::uint64_t bytes,
                           const std::function<void(std::uint64_t)>& copied) {
  if (bytes > 0 && clone(source, target)) {
    copied(bytes);
    return {};
  }
  for (std::uint64_t at = 0; at < bytes;) {
    HOLDFAST_TRY(const Stretch data, next_data(source, at, bytes));
    at = data.begin;
    while (at < data.end) {
      HOLDFAST_TRY(const std::uint64_t done,
                   copy_piece(source, target, at, std::min(kPieceBytes, data.end - at)));
      if (done == 0) bytes = at;  // it became shorter meanwhile
      if (done == 0) break;
      at += done;
      copied(done);
    }
  }
  if (::ftruncate(target, static_cast<off_t>(bytes)) != 0) return fail_errno(errno, "set the size");
  return {};
}

bool ContentCopier::clone(int source, int target) {
  if (!clones_) return false;
  if (::ioctl(target, FICLONE, source) == 0) return true;
  clones_ = !is_unable(errno);
  return false;
}

// The next bytes that are not a hole; of a file system that tells no holes, all that are left.
Result<ContentCopier::Stretch> ContentCopier::next_data(int source, std::uint64_t from, std::uint64_t size) {
  const off_t begin = ::lseek(source, static_cast<off_t>(from), SEEK_DATA);
  if (begin < 0 && errno == ENXIO) return Stretch{.begin = size, .end = size};
  if (begin < 0 && errno == EINVAL) return Stretch{.begin = from, .end = size};
  if (begin < 0) return fail_errno(errno, "find data");
  const off_t end = ::lseek(source, begin, SEEK_HOLE);
  if (end < 0) return fail_errno(errno, "find a hole");
  return Stretch{.begin = std::min(size, static_cast<std::uint64_t>(begin)),
                 .end = std::min(size, static_cast<std::uint64_t>(end))};
}

Result<std::uint64_t> ContentCopier::copy_piece(int source, int target, std::uint64_t at,
                                                std::uint64_t bytes) {
  if (copies_within_) {
    auto from = static_cast<off_t>(at);
    auto to = static_cast<off_t>(at);
    const ssize_t size = ::copy_file_range(source, &from, target, &to, bytes, 0);
    if (size > 0) return static_cast<std::uint64_t>(size);
    if (size < 0 && !is_unable(errno)) return fail_errno(errno, "copy");
    if (size < 0) copies_within_ = false;
    // 0 is the end, but some file systems say it of all that they cannot copy.
  }
  return stream_piece(source, target, at, bytes);
}

Result<std::uint64_t> ContentCopier::stream_piece(int source, int target, std::uint64_t at,
                                                  std::uint64_t bytes) {
  buffer_.resize(kStreamBytes);
  ssize_t size = -1;
  do {
    size = ::pread(source, buffer_.data(), std::min<std::uint64_t>(bytes, buffer_.size()),
                   static_cast<off_t>(at));
  } while (size < 0 && errno == EINTR);
  if (size < 0) return fail_errno(errno, "read");
  const std::string_view read(buffer_.data(), static_cast<std::size_t>(size));
  HOLDFAST_CHECK(write_sparse(target, read, at));
  return read.size();
}

}  // namespace holdfast::nas
