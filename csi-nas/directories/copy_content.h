#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "common/base/result.h"

namespace holdfast::nas {

/// Copies what files hold, by the best of three ways that the file system takes, which is learnt once:
/// a shared copy (FICLONE; CLONE of NFS 4.2), a copy within the server (copy_file_range(2); COPY of NFS 4.2),
/// and reading and writing. Holes stay holes; where the file system does not tell them, zeros become holes.
class ContentCopier {
 public:
  ContentCopier() = default;

  /// `target` is empty and open for writing, `source` for reading; both positions are lost. Copies `bytes`,
  /// or less when the source has become shorter, and gives the target that size. `copied` is told the bytes
  /// of each piece. Errors: errno of reading and writing.
  Status copy(int source, int target, std::uint64_t bytes, const std::function<void(std::uint64_t)>& copied);

 private:
  struct Stretch {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };
  bool clone(int source, int target);
  static Result<Stretch> next_data(int source, std::uint64_t from, std::uint64_t size);
  Result<std::uint64_t> copy_piece(int source, int target, std::uint64_t at, std::uint64_t bytes);
  Result<std::uint64_t> stream_piece(int source, int target, std::uint64_t at, std::uint64_t bytes);

  bool clones_ = true;
  bool copies_within_ = true;
  std::vector<char> buffer_;
};

}  // namespace holdfast::nas
