#include "cni-flannel/daemon/sole_run.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <string>
#include <utility>

#include "common/base/program_run.h"

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

}  // namespace

Result<SoleRun> claim_sole_run(Files& files, const fs::path& state_dir) {
  SoleRun out;
  HOLDFAST_TRY(out.name, claim_name());
  if (const std::optional<int> other = find_program(kProgramName)) {
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
