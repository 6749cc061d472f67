#include "csi-nas/nascmd/lock_services.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <limits>
#include <thread>
#include <utility>

#include "common/base/fd.h"
#include "common/base/files.h"
#include "common/base/machine_ids.h"
#include "common/base/spawn.h"
#include "common/base/state_file.h"
#include "csi-nas/nfs/rpc_message.h"

namespace holdfast::nas {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::uint32_t kPortMapper = 100000;
constexpr std::uint32_t kPortMapperVersion = 2;
constexpr std::uint32_t kGetPort = 3;
constexpr std::uint32_t kStatus = 100024;
constexpr std::uint32_t kStatusVersion = 1;
constexpr std::uint32_t kId = 1;
constexpr timeval kAnswerPatience{.tv_sec = 1, .tv_usec = 0};
constexpr std::chrono::seconds kStartPatience{2};  // until what was started is known
constexpr std::chrono::milliseconds kPause{20};
constexpr const char* kBootFile = "holdfast-boot";
constexpr std::size_t kMostBootBytes = 64;
constexpr mode_t kFolderMode = 0700;
constexpr mode_t kFileMode = 0600;

enum class Known : std::uint8_t { kNoRpcbind, kNoStatd, kStatd };

Fd connect_to(std::uint16_t port) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  const void* raw = &address;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kAnswerPatience, sizeof(kAnswerPatience));
  if (::connect(fd.get(), static_cast<const sockaddr*>(raw), sizeof(address)) != 0) fd.reset();
  return fd;
}

Known ask(std::uint16_t rpcbind_port) {
  const Fd fd = connect_to(rpcbind_port);
  const std::string call = statd_port_call(kId);
  if (!fd.valid() || ::send(fd.get(), call.data(), call.size(), MSG_NOSIGNAL) < 0) return Known::kNoRpcbind;
  std::string received;
  std::array<char, 512> buffer{};
  while (received.size() < buffer.size()) {
    const ssize_t count = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (count <= 0) return Known::kNoRpcbind;
    received.append(buffer.data(), static_cast<std::size_t>(count));
    const auto port = read_statd_port(received, kId);
    if (port) return *port == 0 ? Known::kNoStatd : Known::kStatd;
  }
  return Known::kNoRpcbind;
}

Status run(const std::vector<std::string>& programs, std::vector<std::string> words) {
  const auto program = std::ranges::find_if(
      programs, [](const std::string& path) { return ::access(path.c_str(), X_OK) == 0; });
  if (program == programs.end()) {
    return fail(Code::kFailedPrecondition, "locks of NFS version 3 need " + programs.front() +
                                               ", which is not there: install rpcbind and nfs-common, or "
                                               "mount with nolock");
  }
  words.insert(words.begin(), *program);
  Spawn spawn;
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) spawn.give_nothing(fd);
  HOLDFAST_TRY(const pid_t process, spawn.start(std::move(words), {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}));
  // Each goes to the background when it can be asked.
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) continue;
  return {};
}

// Whether it is known by then what is wanted.
bool wait_for(std::uint16_t rpcbind_port, Known wanted) {
  const auto deadline = SteadyClock::now() + kStartPatience;
  while (ask(rpcbind_port) < wanted) {
    if (SteadyClock::now() > deadline) return false;
    std::this_thread::sleep_for(kPause);
  }
  return true;
}

tl::unexpected<Error> did_not_start(const char* name) {
  return fail(Code::kFailedPrecondition, std::string("locks of NFS version 3 need ") + name +
                                             ", which was started and does not answer: see its messages, "
                                             "or mount with nolock");
}

// rpc.statd becomes who has its folder, so that of a new one its package's user does.
Status make_statd_folders(const std::filesystem::path& state) {
  PosixFiles files;
  HOLDFAST_CHECK(files.make_folders(state, 0755));
  const passwd* user = ::getpwnam("statd");  // NOLINT(concurrency-mt-unsafe): one thread
  for (const char* name : {"sm", "sm.bak"}) {
    const std::filesystem::path folder = state / name;
    if (::mkdir(folder.c_str(), kFolderMode) != 0) {
      if (errno == EEXIST) continue;
      return fail_errno(errno, "making " + folder.native());
    }
    if (user == nullptr) continue;
    if (::lchown(folder.c_str(), user->pw_uid, user->pw_gid) != 0) {
      return fail_errno(errno, "giving away " + folder.native());
    }
  }
  return {};
}

// Before the first lock of a boot: whom rpc.statd's folder names was locked with before it.
Status notify_once_a_boot(const LockServices& services) {
  PosixFiles files;
  const std::filesystem::path file = services.state / kBootFile;
  HOLDFAST_TRY(const std::string boot, read_boot_id(files));
  HOLDFAST_TRY(const std::optional<std::string> told, files.read(file, kMostBootBytes));
  if (told == boot) return {};
  HOLDFAST_CHECK(run(services.notify, {}));
  return replace_file(files, file, boot, kFileMode);
}

}  // namespace

std::string statd_port_call(std::uint32_t id) {
  const std::array<std::uint32_t, 4> arguments{kStatus, kStatusVersion, IPPROTO_TCP, 0};
  return write_rpc_call(
      {.id = id, .program = kPortMapper, .version = kPortMapperVersion, .procedure = kGetPort}, arguments);
}

std::optional<std::uint16_t> read_statd_port(std::string_view bytes, std::uint32_t id) {
  const RpcReply reply = read_rpc_reply(bytes, id);
  const bool told = reply.kind == RpcReply::Kind::kAccepted && reply.acceptance == kRpcSuccess &&
                    reply.results.size() == kRpcWordBytes;
  if (!told) return std::nullopt;
  const std::uint32_t port = rpc_word(reply.results, 0);
  if (port > std::numeric_limits<std::uint16_t>::max()) return std::nullopt;
  return static_cast<std::uint16_t>(port);
}

Status prepare_statd(const LockServices& services) {
  HOLDFAST_CHECK(make_statd_folders(services.state));
  return notify_once_a_boot(services);
}

Status start_lock_services(const LockServices& services) {
  Known known = ask(services.rpcbind_port);
  if (known == Known::kNoRpcbind) {
    HOLDFAST_CHECK(run(services.rpcbind, {"-w"}));
    if (!wait_for(services.rpcbind_port, Known::kNoStatd)) return did_not_start("rpcbind");
    known = ask(services.rpcbind_port);
  }
  if (known == Known::kStatd) return {};
  HOLDFAST_CHECK(prepare_statd(services));
  HOLDFAST_CHECK(run(services.statd, {"--no-notify", "--port=662", "--nlm-port=4045"}));
  return wait_for(services.rpcbind_port, Known::kStatd) ? Status{} : Status(did_not_start("rpc.statd"));
}

}  // namespace holdfast::nas
