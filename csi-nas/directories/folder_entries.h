#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace holdfast::nas {

/// One name in a folder. Refers to the reader's memory: valid until its next call.
struct FolderEntry {
  std::string_view name;   ///< ends with a zero byte, for the kernel
  unsigned char type = 0;  ///< DT_*, DT_UNKNOWN where the file system does not tell
};

/// Reads folders piece by piece, in bounded memory, however many names they have. "." and ".." are left out.
/// Source: getdents64(2).
class FolderReader {
 public:
  /// For who has one for each level of a tree: 512 levels are 4 MiB.
  static constexpr std::size_t kSmallPiece = std::size_t{8} * 1024;

  /// `piece_bytes`: how much is read at a time; 512 at least, as a name with what is told of it may have 280.
  explicit FolderReader(std::size_t piece_bytes = kPieceBytes) : buffer_(piece_bytes) {}

  /// From now on of this folder, from its beginning; `folder` stays open meanwhile.
  Status begin(int folder);
  /// nullopt at the end. Errors: errno.
  [[nodiscard]] Result<std::optional<FolderEntry>> next();

 private:
  static constexpr std::size_t kPieceBytes = std::size_t{64} * 1024;  // about a thousand names

  int folder_ = -1;
  std::size_t at_ = 0;  // of buffer_
  std::size_t end_ = 0;
  std::vector<char> buffer_;
};

}  // namespace holdfast::nas
