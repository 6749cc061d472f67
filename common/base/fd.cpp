#include "common/base/fd.h"

#include <unistd.h>

namespace holdfast {

void Fd::reset(int fd) noexcept {
  if (fd_ >= 0) {
    ::close(fd_);  // never repeated on EINTR: Linux has released the number by then
  }
  fd_ = fd;
}

}  // namespace holdfast
