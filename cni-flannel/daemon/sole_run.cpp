#include "cni-flannel/daemon/sole_run.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <fstream>
#include <string>
#include <system_error>
#include <utility>

namespace holdfast::flannel {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kName = "holdfast/flanneld";
constexpr std::string_view kCure = "; stop it first: two would take the device from each other";

Result<Fd> claim_name() {
  Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return fail_errno(errno, "open a socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::ranges::copy(kName, address.sun_path + 1);  // abstract: begins with a zero byte
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + kName.size());
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0) return socket;
  if (errno != EADDRINUSE) return fail_errno(errno, "claim the name " + std::string(kName));
  return fail(Code::kFailedPrecondition,
              "another flanneld of ours runs in this network namespace" + std::string(kCure));
}

bool same_namespace(const fs::path& process) {
  std::error_code failed;
  const fs::path theirs = fs::read_symlink(process / "ns/net", failed);
  return !failed && theirs == fs::read_symlink("/proc/self/ns/net", failed) && !failed;
}

bool is_flanneld(const fs::path& process) {
  std::ifstream file(process / "comm");
  std::string name;
  return std::getline(file, name) && name == "flanneld";
}

}  // namespace

std::optional<int> find_other_flanneld(const fs::path& proc) {
  std::error_code failed;
  for (fs::directory_iterator entry(proc, failed), end; !failed && entry != end; entry.increment(failed)) {
    const std::string name = entry->path().filename();
    if (!std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; })) continue;
    if (name == std::to_string(::getpid())) continue;
    if (is_flanneld(entry->path()) && same_namespace(entry->path())) return std::stoi(name);
  }
  return std::nullopt;
}

Result<SoleRun> claim_sole_run(Files& files, const fs::path& state_dir) {
  SoleRun out;
  HOLDFAST_TRY(out.name, claim_name());
  if (const std::optional<int> other = find_other_flanneld()) {
    return fail(Code::kFailedPrecondition, "another flanneld runs in this network namespace, as process " +
                                               std::to_string(*other) + std::string(kCure));
  }
  const fs::path path = state_dir / "flanneld.lock";
  static_cast<void>(files.make_folders(state_dir, 0700));
  Result<Fd> lock = files.lock(path, std::chrono::milliseconds(0));
  if (lock) {
    out.lock = *std::move(lock);
  } else if (lock.error().code == Code::kUnavailable) {
    return fail(Code::kFailedPrecondition, "another flanneld holds " + path.native() +
                                               "; stop it, or give this one a --state-dir of its own");
  }
  return out;
}

}  // namespace holdfast::flannel
