#include "csi-nas/directories/folder_entries.h"

#include <dirent.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace holdfast::nas {

Status FolderReader::begin(int folder) {
  folder_ = folder;
  at_ = 0;
  end_ = 0;
  if (::lseek(folder, 0, SEEK_SET) < 0) return fail_errno(errno, "read a folder");
  return {};
}

Result<std::optional<FolderEntry>> FolderReader::next() {
  for (;;) {
    if (at_ == end_) {
      const ssize_t size = ::getdents64(folder_, buffer_.data(), buffer_.size());
      if (size < 0) return fail_errno(errno, "read a folder");
      if (size == 0) return std::optional<FolderEntry>{};
      at_ = 0;
      end_ = static_cast<std::size_t>(size);
    }
    const char* const record = buffer_.data() + at_;
    dirent64 head{};
    std::memcpy(&head, record, offsetof(dirent64, d_name));
    at_ += head.d_reclen;
    const std::string_view name(record + offsetof(dirent64, d_name));
    if (name == "." || name == "..") continue;
    return std::optional(FolderEntry{.name = name, .type = head.d_type});
  }
}

}  // namespace holdfast::nas
