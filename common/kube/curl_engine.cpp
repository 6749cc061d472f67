#include "common/kube/curl_engine.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/kube/curl_exchange.h"
#include "common/kube/curl_http.h"

namespace holdfast::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Together kPeerLost: how long a connection is quiet before the peer is asked, how often, and how many times.
constexpr int kQuietBeforeProbeSeconds = 60;
constexpr int kProbeIntervalSeconds = 15;
constexpr int kProbes = 3;
static_assert(seconds(kQuietBeforeProbeSeconds + kProbes * kProbeIntervalSeconds) == CurlHttp::kPeerLost);
constexpr unsigned kUnansweredMilliseconds = 45'000;  // sent, and not acknowledged by the peer's kernel
// Those of all watches, and the idle ones by which their lists came: a watch that finds its own gone confirms
// none.
constexpr long kKeptConnections = 16;

// Of a socket; 0: it has none.
long local_port_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return 0;
  }
  if (address.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
  }
  return address.ss_family == AF_INET6 ? ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port) : 0;
}

// Notices a peer that has gone without a word. What the system does not know of it is no error.
void keep_alive(int fd, int family) {
  if (family == AF_UNIX) {
    return;
  }
  const auto set = [fd](int level, int name, int value) {
    static_cast<void>(::setsockopt(fd, level, name, &value, sizeof(value)));
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, kQuietBeforeProbeSeconds);
  set(IPPROTO_TCP, TCP_KEEPINTVL, kProbeIntervalSeconds);
  set(IPPROTO_TCP, TCP_KEEPCNT, kProbes);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(kUnansweredMilliseconds));
}

}  // namespace

CurlLibrary::CurlLibrary() : ready_(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {}

CurlLibrary::~CurlLibrary() {
  if (ready_) {
    curl_global_cleanup();
  }
}

CurlEngine::CurlEngine(EventLoop& loop_used, const Config& its_config, Files& files, Metrics& metrics_used,
                       std::string agent)
    : loop(loop_used),
      config(its_config),
      user_agent(std::move(agent)),
      credentials(its_config, files, loop_used.clock()),
      metrics(metrics_used) {}

CurlEngine::~CurlEngine() = default;

Status CurlEngine::set_up() {
  multi_.reset(library_.ready() ? curl_multi_init() : nullptr);
  if (!multi_) {
    return fail(Code::kInternal, "libcurl cannot be set up");
  }
  curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETFUNCTION, &on_socket);
  curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_.get(), CURLMOPT_TIMERFUNCTION, &on_timer);
  curl_multi_setopt(multi_.get(), CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, kKeptConnections);
  return {};
}

curl_socket_t CurlEngine::open_socket(void* engine, curlsocktype /*purpose*/, curl_sockaddr* address) {
  const int fd =
      ::socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address->protocol);
  if (fd < 0) {
    return CURL_SOCKET_BAD;
  }
  keep_alive(fd, address->family);
  CurlEngine& self = *static_cast<CurlEngine*>(engine);
  self.connections_[fd] = ++self.last_connection_;
  return fd;
}

int CurlEngine::close_socket(void* engine, curl_socket_t fd) {
  CurlEngine& self = *static_cast<CurlEngine*>(engine);
  self.watches_.erase(fd);
  self.connections_.erase(fd);
  return ::close(fd);
}

int CurlEngine::on_socket(CURL* easy, curl_socket_t fd, int what, void* self, void* /*per_socket*/) {
  CurlExchange* exchange = nullptr;
  if (what != CURL_POLL_REMOVE && curl_easy_getinfo(easy, CURLINFO_PRIVATE, &exchange) == CURLE_OK &&
      exchange != nullptr) {
    exchange->uses(fd);
  }
  static_cast<CurlEngine*>(self)->watch(fd, what);
  return 0;
}

void CurlEngine::watch(int fd, int what) {
  const Readiness interest{.readable = (what & CURL_POLL_IN) != 0, .writable = (what & CURL_POLL_OUT) != 0};
  if (what == CURL_POLL_REMOVE) {
    watches_.erase(fd);
    return;
  }
  const auto found = watches_.find(fd);
  if (found != watches_.end() && found->second.change(interest)) {
    return;
  }
  watches_.erase(fd);
  if (auto watch = loop.watch(fd, interest, [this, fd](Readiness ready) { act(fd, ready); })) {
    watches_.emplace(fd, *std::move(watch));
  }  // else the deadlines end what waits for it
}

void CurlEngine::act(int fd, Readiness ready) {
  const int mask = (ready.readable ? CURL_CSELECT_IN : 0) | (ready.writable ? CURL_CSELECT_OUT : 0);
  drive([fd, mask](CURLM* multi) {
    int running = 0;
    curl_multi_socket_action(multi, fd, mask, &running);
  });
}

int CurlEngine::on_timer(CURLM* /*multi*/, long timeout_ms, void* self) {
  CurlEngine& engine = *static_cast<CurlEngine*>(self);
  if (timeout_ms < 0) {
    engine.timer_.end();
  } else {
    engine.timer_ =
        engine.loop.after(milliseconds(timeout_ms), [&engine] { engine.act(CURL_SOCKET_TIMEOUT, {}); });
  }
  return 0;
}

// After each run of libcurl.
void CurlEngine::settle() {
  dead_.clear();
  collect();
}

// Ends the exchanges that libcurl is done with. A callback may end others, so they are found by number.
void CurlEngine::collect() {
  std::vector<std::pair<std::uint64_t, CURLcode>> done;
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    CurlExchange* exchange = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &exchange);
    if (message->msg == CURLMSG_DONE) {
      done.emplace_back(exchange->id(), message->data.result);
    }
  }
  for (const auto& [id, code] : done) {
    if (const auto found = exchanges_.find(id); found != exchanges_.end()) {
      finish(id, found->second->result(code));
    }
  }
}

std::uint64_t CurlEngine::add(HttpRequest request, HttpCallbacks callbacks) {
  const std::uint64_t id = ++last_id_;
  exchanges_.emplace(id, std::make_unique<CurlExchange>(*this, id, std::move(request), std::move(callbacks)));
  return id;
}

void CurlEngine::abandon(std::uint64_t id) {
  const auto found = exchanges_.find(id);
  if (found == exchanges_.end()) {
    return;
  }
  found->second->silence();
  if (inside_) {
    dead_.push_back(std::move(found->second));
  }
  exchanges_.erase(found);
}

void CurlEngine::finish(std::uint64_t id, Status how) {
  const auto found = exchanges_.find(id);
  const HttpCallbacks callbacks = found->second->take_callbacks();
  exchanges_.erase(found);
  if (callbacks.end) {
    callbacks.end(std::move(how));
  }
}

// Of a UNIX socket that libcurl has not told of it is one on which nobody waits.
std::uint64_t CurlEngine::sole_idle_connection() const {
  std::uint64_t out = 0;
  for (const auto& [fd, number] : connections_) {
    if (watches_.contains(fd)) {
      continue;
    }
    if (out != 0) {
      return 0;
    }
    out = number;
  }
  return out;
}

// libcurl tells no descriptor of a connection that it uses again and need not wait for.
std::uint64_t CurlEngine::connection_of(int fd, long local_port) const {
  if (local_port > 0) {
    const auto it = std::ranges::find_if(
        connections_, [&](const auto& connection) { return local_port_of(connection.first) == local_port; });
    return it == connections_.end() ? 0 : it->second;
  }
  if (fd < 0) {
    return sole_idle_connection();
  }
  const auto found = connections_.find(fd);
  return found == connections_.end() ? 0 : found->second;
}

Counter& CurlEngine::bytes(const std::string& resource, const std::string& direction) {
  return metrics.counter("holdfast_api_bytes_total", "Bytes to and from the API server, within TLS",
                         {{"resource", resource}, {"direction", direction}});
}

}  // namespace holdfast::kube
