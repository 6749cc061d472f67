#include "cni-flannel/inspect/daemon_run.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "cni-flannel/daemon/sole_run.h"

namespace holdfast::flannel {
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

bool is_of_our_user(const fs::path& process) {
  struct stat info {};
  return ::stat(process.c_str(), &info) == 0 && info.st_uid == ::geteuid();
}

bool sees_our_files(const fs::path& proc, const fs::path& process) {
  std::error_code failed;
  const fs::path theirs = fs::read_symlink(process / "ns/mnt", failed);
  return !failed && theirs == fs::read_symlink(proc / "self/ns/mnt", failed) && !failed;
}

std::optional<Options> options_of(const fs::path& process) {
  std::vector<std::string> arguments = words_of(process / "cmdline");
  if (arguments.empty()) return std::nullopt;
  arguments.erase(arguments.begin());
  const std::vector<std::string> environment = words_of(process / "environ");
  Result<Options> options =
      parse_options(arguments, [&](const std::string& name) -> std::optional<std::string> {
        for (const std::string& entry : environment) {
          if (entry.starts_with(name + "=")) return entry.substr(name.size() + 1);
        }
        return std::nullopt;
      });
  return options ? std::optional(*std::move(options)) : std::nullopt;
}

}  // namespace

std::optional<DaemonRun> find_daemon_run(const fs::path& proc) {
  const std::optional<int> pid = find_other_flanneld(proc);
  if (!pid) return std::nullopt;
  const fs::path process = proc / std::to_string(*pid);
  DaemonRun out{.pid = *pid};
  if (!is_of_our_user(process)) return out;
  out.options = options_of(process);
  out.same_files = sees_our_files(proc, process);
  return out;
}

}  // namespace holdfast::flannel
