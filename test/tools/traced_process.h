#pragma once

#include <sys/types.h>

#include <cstdint>
#include <cstring>
#include <string>

/// What the memory and the descriptors of a stopped thread say. Nothing of it fails: of a thread that was
/// killed meanwhile all is empty.
namespace holdfast::test {

/// Fewer bytes than asked for when the memory ends; none when there is none.
[[nodiscard]] std::string read_memory(pid_t thread, std::uint64_t address, std::size_t bytes);

/// Up to the zero byte.
[[nodiscard]] std::string read_text(pid_t thread, std::uint64_t address);

template <class T>
T read_value(pid_t thread, std::uint64_t address) {
  T value{};
  const std::string bytes = read_memory(thread, address, sizeof value);
  std::memcpy(&value, bytes.data(), bytes.size());
  return value;
}

/// Where a symbolic link points; empty when it is none.
[[nodiscard]] std::string read_link(const std::string& path);

/// The link below /proc that stands for a descriptor.
[[nodiscard]] std::string fd_path(pid_t thread, std::uint64_t fd);

/// Whether the descriptor is a file or disk (or also a folder) that others can see; memfds and pipes are not.
[[nodiscard]] bool is_lasting_file(pid_t thread, std::uint64_t fd, bool folder_too);

/// The absolute path that a call's arguments name: in a folder's descriptor, or from the working folder.
[[nodiscard]] std::string path_at(pid_t thread, std::uint64_t folder, std::uint64_t path);
[[nodiscard]] std::string plain_path(pid_t thread, std::uint64_t path);

/// The path of the program that it runs.
[[nodiscard]] std::string program_of(pid_t thread);

}  // namespace holdfast::test
