#pragma once

#include <cstddef>
#include <string_view>
#include <utility>

namespace holdfast {

/// Owns one file descriptor and closes it. Descriptors are opened with O_CLOEXEC by whoever makes them.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) noexcept : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    reset(std::exchange(other.fd_, -1));
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] bool valid() const noexcept { return fd_ >= 0; }
  /// Gives the descriptor up without closing it.
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  /// Closes what is held and takes `fd`. An error of close(2) is not reported: nothing can be done about it.
  void reset(int fd = -1) noexcept;

 private:
  int fd_ = -1;
};

/// Writes all of `bytes`, over interruptions and partial writes. `written` tells how far it came, also on
/// failure. Returns 0 or the errno. Source: write(2).
[[nodiscard]] int write_all(int fd, std::string_view bytes, std::size_t& written);

}  // namespace holdfast
