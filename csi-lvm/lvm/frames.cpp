#include "csi-lvm/lvm/frames.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>

namespace holdfast::lvm {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kLengthBytes = 4;
constexpr std::size_t kLongest = std::size_t{64} << 20;

// Reads a stream up to a point in time.
class Reader {
 public:
  Reader(int fd, std::chrono::milliseconds deadline)
      : fd_(fd), forever_(deadline.count() == 0), until_(SteadyClock::now() + deadline) {}

  Status fill(char* to, std::size_t size) {
    while (size > 0) {
      HOLDFAST_CHECK(wait());
      const ssize_t n = ::read(fd_, to, size);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail_errno(errno, "read from the LVM channel");
      if (n == 0) return ended();
      to += n;
      size -= static_cast<std::size_t>(n);
      begun_ = true;
    }
    return {};
  }

 private:
  Status wait() {
    for (;;) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(until_ - SteadyClock::now());
      if (!forever_ && left.count() <= 0)
        return fail(Code::kDeadlineExceeded, "LVM has not answered in time");
      pollfd watched{fd_, POLLIN, 0};
      const int ready = ::poll(&watched, 1, forever_ ? -1 : static_cast<int>(left.count()));
      if (ready > 0) return {};
      if (ready < 0 && errno != EINTR) return fail_errno(errno, "wait for the LVM channel");
    }
  }

  Status ended() const {
    if (begun_) return fail(Code::kDataLoss, "the LVM channel ended in the middle of a message");
    return fail(Code::kUnavailable, "the LVM channel has ended");
  }

  int fd_;
  bool forever_;
  SteadyClock::time_point until_;
  bool begun_ = false;
};

Status send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "write to the LVM channel");
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

}  // namespace

Status send_strings(int fd, const std::vector<std::string_view>& strings) {
  std::string message;
  for (const std::string_view text : strings) {
    for (std::size_t i = 0; i < kLengthBytes; ++i) {
      message += static_cast<char>(static_cast<unsigned char>(text.size() >> (8 * i)));
    }
    message += text;
  }
  return send_all(fd, message);
}

Result<std::vector<std::string>> receive_strings(int fd, std::size_t count,
                                                 std::chrono::milliseconds deadline) {
  Reader reader(fd, deadline);
  std::vector<std::string> strings;
  for (std::size_t i = 0; i < count; ++i) {
    std::array<char, kLengthBytes> length{};
    HOLDFAST_CHECK(reader.fill(length.data(), length.size()));
    std::size_t size = 0;
    for (std::size_t byte = 0; byte < kLengthBytes; ++byte) {
      size |= std::size_t{static_cast<unsigned char>(length[byte])} << (8 * byte);
    }
    if (size > kLongest) {
      return fail(Code::kOutOfRange,
                  "the LVM channel tells of a string of " + std::to_string(size) + " bytes");
    }
    std::string& text = strings.emplace_back(size, '\0');
    HOLDFAST_CHECK(reader.fill(text.data(), text.size()));
  }
  return strings;
}

}  // namespace holdfast::lvm
