#include "csi-nas/mounts/server_watch.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "common/base/fd.h"
#include "csi-nas/mounts/null_call.h"

namespace holdfast::nas {
namespace {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

std::optional<SocketAddress> socket_address(const ServerAddress& server) {
  SocketAddress out;
  sockaddr_in ip4{};
  if (::inet_pton(AF_INET, server.address.c_str(), &ip4.sin_addr) == 1) {
    ip4.sin_family = AF_INET;
    ip4.sin_port = htons(server.port);
    std::memcpy(&out.storage, &ip4, sizeof(ip4));
    out.length = sizeof(ip4);
    return out;
  }
  sockaddr_in6 ip6{};
  const std::size_t zone = server.address.find('%');
  if (::inet_pton(AF_INET6, server.address.substr(0, zone).c_str(), &ip6.sin6_addr) != 1) return std::nullopt;
  ip6.sin6_family = AF_INET6;
  ip6.sin6_port = htons(server.port);
  if (zone != std::string::npos) {
    ip6.sin6_scope_id = ::if_nametoindex(server.address.c_str() + zone + 1);
    errno = ENODEV;
    if (ip6.sin6_scope_id == 0) return std::nullopt;
  }
  std::memcpy(&out.storage, &ip6, sizeof(ip6));
  out.length = sizeof(ip6);
  return out;
}

// Nothing of a dead connection lingers when it is closed.
void set_up(int fd) {
  const int yes = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
}

// A connection that is being made, or nothing, with errno, when it cannot be.
Fd begin_connecting(const ServerAddress& server) {
  const auto address = socket_address(server);
  if (!address) return {};
  Fd fd(::socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return {};
  set_up(fd.get());
  const void* raw = &address->storage;
  if (::connect(fd.get(), static_cast<const sockaddr*>(raw), address->length) != 0 && errno != EINPROGRESS) {
    return {};
  }
  return fd;
}

}  // namespace

const char* to_string(ServerState state) {
  switch (state) {
    case ServerState::kUnknown:
      return "unknown";
    case ServerState::kAlive:
      return "alive";
    case ServerState::kSuspect:
      return "suspect";
    case ServerState::kDead:
      break;
  }
  return "dead";
}

/// Asks one server again and again. Of the loop's thread.
class ServerWatch::Prober {
 public:
  Prober(ServerWatch& watch, ServerAddress server) : watch_(watch), server_(std::move(server)) {}

  /// Asks now, if it does not already.
  void ask() {
    if (asking_) return;
    asking_ = true;
    late_ = watch_.loop_.after(watch_.options_.patience, [this] { end_question(false); });
    if (!fd_.valid()) {
      connect();
    } else {
      send_call();
    }
  }

 private:
  void connect() {
    fd_ = begin_connecting(server_);
    if (!fd_.valid()) return fail_soon(errno);
    auto watching = watch_.loop_.watch(fd_.get(), {.readable = true, .writable = true},
                                       [this](Readiness ready) { take(ready); });
    if (!watching) return fail_soon(watching.error().sys_errno);
    ready_ = *std::move(watching);
    connected_ = false;
  }

  // Not from within ask(), whose caller may hold on to what this ends.
  void fail_soon(int error) {
    late_ = watch_.loop_.after({}, [this, error] { end_question(false, error); });
  }

  void take(Readiness ready) {
    if (!connected_) {
      int error = 0;
      socklen_t length = sizeof(error);
      ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
      if (error != 0) return end_question(false, error);
      if (!ready.writable) return;
      connected_ = true;
      const Status changed = ready_.change({.readable = true, .writable = false});
      return changed ? send_call() : end_question(false);
    }
    if (ready.readable) read_reply();
  }

  void send_call() {
    received_.clear();
    const std::string call = null_call(++id_);
    const ssize_t sent = ::send(fd_.get(), call.data(), call.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(call.size())) end_question(false);
  }

  void read_reply() {
    std::array<char, 512> buffer{};
    const ssize_t count = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    // A server may close a connection that nobody uses: that is no answer, and no silence either.
    if (count <= 0 && !asking_) return disconnect();
    if (count <= 0) return end_question(false);
    received_.append(buffer.data(), static_cast<std::size_t>(count));
    const NullReply reply = read_null_reply(received_, id_);
    if (reply == NullReply::kAnswered) return end_question(true);
    if (reply == NullReply::kOther) end_question(false, EPROTO);
  }

  void disconnect() {
    ready_.end();
    fd_.reset();
  }

  void end_question(bool answered, int error = 0) {
    if (!asking_) return;
    asking_ = false;
    late_.end();
    if (!answered) disconnect();
    // At once after the first silence; then a server that refuses is not asked without a pause.
    const bool again = !answered && !failed_;
    failed_ = !answered;
    next_ =
        watch_.loop_.after(again ? std::chrono::nanoseconds{} : watch_.options_.interval / (answered ? 1 : 3),
                           [this] { ask(); });
    watch_.heard(server_, answered, error);
  }

  ServerWatch& watch_;
  ServerAddress server_;
  Fd fd_;
  EventLoop::Watch ready_;
  EventLoop::Timer late_;
  EventLoop::Timer next_;
  bool asking_ = false;
  bool connected_ = false;
  bool failed_ = false;
  std::uint32_t id_ = 0;
  std::string received_;
};

ServerWatch::ServerWatch(EventLoop& loop, ServerWatchOptions options)
    : loop_(loop), options_(options), self_(std::make_shared<ServerWatch*>(this)) {}

ServerWatch::~ServerWatch() { *self_ = nullptr; }

ServerHealth ServerWatch::look(const ServerAddress& server) const {
  const auto found = known_.find(server);
  if (found == known_.end()) return {};
  const Known& known = found->second;
  return {.state = known.state, .silence = loop_.clock().since_boot() - known.heard, .error = known.error};
}

ServerHealth ServerWatch::health(const ServerAddress& server) const {
  const std::scoped_lock lock(mutex_);
  return look(server);
}

ServerHealth ServerWatch::settled(const ServerAddress& server, std::chrono::nanoseconds patience) {
  std::unique_lock lock(mutex_);
  if (known_.try_emplace(server, Known{.state = ServerState::kUnknown, .heard = loop_.clock().since_boot()})
          .second) {
    loop_.post([self = self_, server] {
      if (*self != nullptr) (*self)->ask(server, true);
    });
  }
  news_.wait_for(lock, patience, [&] {
    const ServerState state = look(server).state;
    return state == ServerState::kAlive || state == ServerState::kDead;
  });
  return look(server);
}

void ServerWatch::suspect(const ServerAddress& server) {
  const std::scoped_lock lock(mutex_);
  const auto found = known_.find(server);
  if (found == known_.end()) return;
  if (found->second.state == ServerState::kAlive) found->second.state = ServerState::kSuspect;
  loop_.post([self = self_, server] {
    if (*self != nullptr) (*self)->ask(server, true);
  });
}

void ServerWatch::ask(const ServerAddress& server, bool at_once) {
  std::unique_ptr<Prober>& prober = probers_[server];
  const bool fresh = prober == nullptr;
  if (fresh) prober = std::make_unique<Prober>(*this, server);
  if (fresh || at_once) prober->ask();
}

void ServerWatch::heard(const ServerAddress& server, bool answered, int error) {
  const std::scoped_lock lock(mutex_);
  const auto found = known_.find(server);
  if (found == known_.end()) return;
  Known& known = found->second;
  if (answered) {
    known = {.state = ServerState::kAlive, .heard = loop_.clock().since_boot()};
  } else {
    known.error = error;
    known.state = known.state == ServerState::kAlive ? ServerState::kSuspect : ServerState::kDead;
  }
  news_.notify_all();
}

void ServerWatch::keep(const std::set<ServerAddress>& in_use) {
  const auto now = loop_.clock().since_boot();
  {
    const std::scoped_lock lock(mutex_);
    for (const ServerAddress& server : in_use) known_.try_emplace(server, Known{.state = {}, .heard = now});
  }
  for (const ServerAddress& server : in_use) {
    unused_.erase(server);
    ask(server, false);
  }
  for (auto prober = probers_.begin(); prober != probers_.end();) {
    const ServerAddress server = prober->first;
    const bool forget =
        !in_use.contains(server) && now - unused_.try_emplace(server, now).first->second >= options_.idle;
    prober = forget ? probers_.erase(prober) : std::next(prober);
    if (!forget) continue;
    unused_.erase(server);
    const std::scoped_lock lock(mutex_);
    known_.erase(server);
  }
}

std::map<ServerAddress, ServerHealth> ServerWatch::all() const {
  const std::scoped_lock lock(mutex_);
  std::map<ServerAddress, ServerHealth> out;
  for (const auto& [server, known] : known_) out[server] = look(server);
  return out;
}

}  // namespace holdfast::nas
