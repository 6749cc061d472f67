#include "common/base/program_run.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <system_error>

namespace holdfast {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostWords = 4096;

/// Of a file in which each text ends with a zero byte.
std::vector<std::string> words_of(const fs::path& path) {
  std::vector<std::string> out;
  std::ifstream file(path, std::ios::binary);
  for (std::string word; out.size() < kMostWords && std::getline(file, word, '\0');) out.push_back(word);
  return out;
}

bool has_name(const fs::path& process, std::string_view name) {
  std::ifstream file(process / "comm");
  std::string found;
  return std::getline(file, found) && found == name;
}

/// Whether both are in one namespace; `which` is its link in /proc/PID/ns.
bool share(const fs::path& process, const fs::path& us, const char* which) {
  std::error_code failed;
  const fs::path theirs = fs::read_symlink(process / "ns" / which, failed);
  return !failed && theirs == fs::read_symlink(us / "ns" / which, failed) && !failed;
}

bool is_of_our_user(const fs::path& process) {
  struct stat info {};
  return ::stat(process.c_str(), &info) == 0 && info.st_uid == ::geteuid();
}

}  // namespace

std::optional<std::string> ProgramRun::variable(const std::string& name) const {
  for (const std::string& entry : environment) {
    if (entry.starts_with(name + "=")) return entry.substr(name.size() + 1);
  }
  return std::nullopt;
}

std::optional<int> find_program(std::string_view name, const fs::path& proc) {
  std::error_code failed;
  for (fs::directory_iterator entry(proc, failed), end; !failed && entry != end; entry.increment(failed)) {
    const std::string number = entry->path().filename();
    if (!std::ranges::all_of(number, [](char c) { return c >= '0' && c <= '9'; })) continue;
    if (number == std::to_string(::getpid())) continue;
    if (has_name(entry->path(), name) && share(entry->path(), "/proc/self", "net")) return std::stoi(number);
  }
  return std::nullopt;
}

std::optional<ProgramRun> find_program_run(std::string_view name, const fs::path& proc) {
  const std::optional<int> pid = find_program(name, proc);
  if (!pid) return std::nullopt;
  const fs::path process = proc / std::to_string(*pid);
  ProgramRun out{.pid = *pid};
  out.same_user = is_of_our_user(process);
  if (!out.same_user) return out;
  out.same_files = share(process, proc / "self", "mnt");
  out.arguments = words_of(process / "cmdline");
  if (!out.arguments.empty()) out.arguments.erase(out.arguments.begin());
  out.environment = words_of(process / "environ");
  return out;
}

}  // namespace holdfast
