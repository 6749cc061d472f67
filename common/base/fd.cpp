#include "common/base/fd.h"

#include <unistd.h>

#include <cerrno>

namespace holdfast {

void Fd::reset(int fd) noexcept {
  if (fd_ >= 0) {
    ::close(fd_);  // never repeated on EINTR: Linux has released the number by then
  }
  fd_ = fd;
}

int write_all(int fd, std::string_view bytes, std::size_t& written) {
  written = 0;
  while (written < bytes.size()) {
    const ssize_t n = ::write(fd, bytes.data() + written, bytes.size() - written);
    if (n > 0) {
      written += static_cast<std::size_t>(n);
    } else if (n == 0 || errno != EINTR) {
      return n == 0 ? EIO : errno;
    }
  }
  return 0;
}

}  // namespace holdfast
