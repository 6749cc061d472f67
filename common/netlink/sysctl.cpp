#include "common/netlink/sysctl.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "common/base/fd.h"

namespace holdfast::nl {

namespace {

std::string path_of(std::string_view key) { return "/proc/sys/" + std::string(key); }

}  // namespace

Result<std::string> get_sysctl(std::string_view key) {
  const std::string path = path_of(key);
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return fail_errno(errno, "open " + path);
  std::array<char, 256> buffer{};
  const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
  if (got < 0) return fail_errno(errno, "read " + path);
  std::string value(buffer.data(), static_cast<std::size_t>(got));
  while (!value.empty() && value.back() == '\n') value.pop_back();
  return value;
}

Status set_sysctl(std::string_view key, std::string_view value) {
  HOLDFAST_TRY(const std::string current, get_sysctl(key));
  if (current == value) return {};
  const std::string path = path_of(key);
  const Fd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file.valid()) return fail_errno(errno, "open " + path);
  const ssize_t put = ::write(file.get(), value.data(), value.size());
  if (put < 0) return fail_errno(errno, "set " + path + " to " + std::string(value));
  return {};
}

}  // namespace holdfast::nl
