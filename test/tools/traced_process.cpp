#include "test/tools/traced_process.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>

#include "common/base/fd.h"

namespace holdfast::test {
namespace {

std::string proc_path(pid_t thread, const std::string& rest) {
  return "/proc/" + std::to_string(thread) + "/" + rest;
}

std::string absolute(const std::string& folder, const std::string& path) {
  return path.rfind('/', 0) == 0 ? path : folder + "/" + path;
}

}  // namespace

std::string read_memory(pid_t thread, std::uint64_t address, std::size_t bytes) {
  const Fd memory(::open(proc_path(thread, "mem").c_str(), O_RDONLY | O_CLOEXEC));
  std::string content(bytes, '\0');
  const ssize_t got = ::pread(memory.get(), content.data(), bytes, static_cast<off_t>(address));
  content.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return content;
}

std::string read_text(pid_t thread, std::uint64_t address) {
  std::string text = read_memory(thread, address, PATH_MAX);
  text.resize(std::min(text.size(), text.find('\0')));
  return text;
}

std::string read_link(const std::string& path) {
  std::array<char, PATH_MAX> target{};
  const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
  return length > 0 ? std::string(target.data(), static_cast<std::size_t>(length)) : std::string();
}

std::string fd_path(pid_t thread, std::uint64_t fd) {
  return proc_path(thread, "fd/" + std::to_string(static_cast<int>(fd)));
}

bool is_lasting_file(pid_t thread, std::uint64_t fd, bool folder_too) {
  const std::string path = fd_path(thread, fd);
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return false;
  const bool wanted = S_ISREG(info.st_mode) || S_ISBLK(info.st_mode) || (folder_too && S_ISDIR(info.st_mode));
  return wanted && read_link(path).rfind("/memfd:", 0) != 0;
}

std::string path_at(pid_t thread, std::uint64_t folder, std::uint64_t path) {
  const bool from_cwd = static_cast<int>(folder) == AT_FDCWD;
  return absolute(read_link(from_cwd ? proc_path(thread, "cwd") : fd_path(thread, folder)),
                  read_text(thread, path));
}

std::string plain_path(pid_t thread, std::uint64_t path) {
  return absolute(read_link(proc_path(thread, "cwd")), read_text(thread, path));
}

std::string program_of(pid_t thread) { return read_link(proc_path(thread, "exe")); }

}  // namespace holdfast::test
