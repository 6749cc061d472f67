#include "common/kube/curl_http.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <curl/curl.h>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/kube/credentials.h"
#include "common/kube/url.h"

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
constexpr std::size_t kMaxHeadBytes = std::size_t{64} << 10;
constexpr seconds kLongestRetryAfter{3600};
constexpr int kUnauthorized = 401;
constexpr int kFirstFinalStatus = 200;  // those before it announce another head

struct MultiDeleter {
  void operator()(CURLM* multi) const noexcept { curl_multi_cleanup(multi); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};
using MultiPtr = std::unique_ptr<CURLM, MultiDeleter>;
using HeaderList = std::unique_ptr<curl_slist, ListDeleter>;

// libcurl's process-wide part; counted there, so that several may exist.
class CurlLibrary {
 public:
  CurlLibrary() : ready_(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {}
  CurlLibrary(const CurlLibrary&) = delete;
  CurlLibrary& operator=(const CurlLibrary&) = delete;
  ~CurlLibrary() {
    if (ready_) {
      curl_global_cleanup();
    }
  }
  [[nodiscard]] bool ready() const { return ready_; }

 private:
  bool ready_;
};

void add_header(HeaderList& list, const std::string& line) {
  list.reset(curl_slist_append(list.release(), line.c_str()));
}

void set_blob(CURL* easy, CURLoption option, const std::string& bytes) {
  if (!bytes.empty()) {
    curl_blob blob{};
    blob.data =
        const_cast<char*>(bytes.data());  // NOLINT(cppcoreguidelines-pro-type-const-cast): copied by libcurl
    blob.len = bytes.size();
    blob.flags = CURL_BLOB_COPY;
    curl_easy_setopt(easy, option, &blob);
  }
}

Code code_of(CURLcode code) {
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return Code::kDeadlineExceeded;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      return Code::kPermissionDenied;
    default:
      return Code::kUnavailable;
  }
}

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

// All exchanges of one multi handle. Calls of libcurl must not be nested: what a callback of ours asks for
// while one runs (inside_) is done after it.
class CurlHttp::Engine {
 public:
  Engine(EventLoop& loop, const Config& config, Files& files, Metrics& metrics, std::string user_agent);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine() = default;

  Status set_up();
  std::uint64_t add(HttpRequest request, HttpCallbacks callbacks);
  /// The exchange calls nobody any more; it is gone now or when libcurl has returned.
  void abandon(std::uint64_t id);
  /// Ends it and tells.
  void finish(std::uint64_t id, Status how);

  // By its local port, or without one (of a UNIX socket it is 0 or less) by its descriptor, which is -1 as
  // long as libcurl has not told it. 0: not known.
  [[nodiscard]] std::uint64_t connection_of(int fd, long local_port) const;
  [[nodiscard]] std::uint64_t sole_idle_connection() const;
  Counter& bytes(const std::string& resource, const std::string& direction);

  EventLoop& loop;
  const Config config;
  const std::string user_agent;
  Credentials credentials;
  Metrics& metrics;

  /// Runs a function of libcurl that may call back.
  template <class Function>
  void drive(Function function) {
    inside_ = true;
    function(multi_.get());
    inside_ = false;
    dead_.clear();
    collect();
  }

 private:
  static int on_socket(CURL* easy, curl_socket_t fd, int what, void* self, void* per_socket);
  static int on_timer(CURLM* multi, long timeout_ms, void* self);

  void watch(int fd, int what);
  void act(int fd, Readiness ready);
  void collect();

  CurlLibrary library_;
  std::unordered_map<int, EventLoop::Watch> watches_;
  std::unordered_map<int, std::uint64_t> connections_;  // open sockets, and the number of each
  EventLoop::Timer timer_;
  MultiPtr multi_;  // goes before what its last calls touch
  bool inside_ = false;
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, std::unique_ptr<Exchange>> exchanges_;  // goes before multi_
  std::vector<std::unique_ptr<Exchange>> dead_;
  std::uint64_t last_connection_ = 0;
  friend class Exchange;
};

// One request on its way.
class CurlHttp::Exchange {
 public:
  Exchange(Engine& engine, std::uint64_t id, HttpRequest request, HttpCallbacks callbacks);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange();

  [[nodiscard]] std::uint64_t id() const { return id_; }
  void silence() { callbacks_ = {}; }
  [[nodiscard]] HttpCallbacks take_callbacks() { return std::move(callbacks_); }
  [[nodiscard]] Status result(CURLcode code);
  void count_bytes();
  /// libcurl's CURLINFO_ACTIVESOCKET tells of exchanges that have ended only.
  void uses(int socket) { socket_ = socket; }

 private:
  static std::size_t on_header(const char* bytes, std::size_t size, std::size_t count, void* self);
  static std::size_t on_body(const char* bytes, std::size_t size, std::size_t count, void* self);
  static curl_socket_t on_open(void* self, curlsocktype purpose, curl_sockaddr* address);
  static int on_close(void* engine, curl_socket_t fd);

  void begin();
  Status set_options();
  void set_address();
  void set_request(const CredentialSet& credentials);
  bool take_header(std::string_view line);
  void take_head();
  void expect(EventLoop::Timer& timer, milliseconds within, std::string_view what);
  [[nodiscard]] std::string name() const;

  Engine& engine_;
  std::uint64_t id_;
  HttpRequest request_;
  HttpCallbacks callbacks_;
  CURL* easy_;
  HeaderList headers_;
  HeaderList connect_to_;
  std::array<char, CURL_ERROR_SIZE> words_{};  // libcurl's own, of the last error
  bool added_ = false;
  int socket_ = -1;  // the one it waits for
  bool head_taken_ = false;
  std::size_t head_bytes_ = 0;
  Status body_status_;
  EventLoop::Timer begin_;
  EventLoop::Timer response_;
  EventLoop::Timer silence_;
  EventLoop::Timer whole_;
  Counter& sent_;
  Counter& received_;
  double sent_counted_ = 0;
  double received_counted_ = 0;
};

// What the caller holds of an exchange.
class CurlHttp::Handle final : public HttpExchange {
 public:
  Handle(Engine& engine, std::uint64_t id) : engine_(engine), id_(id) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() override { engine_.abandon(id_); }

 private:
  Engine& engine_;
  std::uint64_t id_;
};

CurlHttp::Exchange::Exchange(Engine& engine, std::uint64_t id, HttpRequest request, HttpCallbacks callbacks)
    : engine_(engine),
      id_(id),
      request_(std::move(request)),
      callbacks_(std::move(callbacks)),
      easy_(curl_easy_init()),
      sent_(engine.bytes(request_.resource, "sent")),
      received_(engine.bytes(request_.resource, "received")) {
  begin_ = engine_.loop.after({}, [this] { begin(); });
}

CurlHttp::Exchange::~Exchange() {
  count_bytes();
  if (added_) {
    curl_multi_remove_handle(engine_.multi_.get(), easy_);
  }
  curl_easy_cleanup(easy_);
}

std::string CurlHttp::Exchange::name() const {
  return request_.method + " " + engine_.config.server + request_.path.substr(0, request_.path.find('?'));
}

void CurlHttp::Exchange::begin() {
  if (Status set = set_options(); !set) {
    engine_.finish(id_, tl::unexpected(std::move(set).error().within(name())));
    return;
  }
  added_ = true;
  expect(response_, request_.deadlines.response, "no answer");
  expect(whole_, request_.deadlines.whole, "not finished");
  engine_.drive([this](CURLM* multi) { curl_multi_add_handle(multi, easy_); });
}

void CurlHttp::Exchange::expect(EventLoop::Timer& timer, milliseconds within, std::string_view what) {
  if (within > milliseconds::zero()) {
    timer = engine_.loop.after(within, [this, within, what] {
      std::string message = name() + ": ";
      message += what;
      message += " after " + std::to_string(within.count()) + " ms";
      engine_.finish(id_, fail(Code::kDeadlineExceeded, std::move(message)));
    });
  }
}

Status CurlHttp::Exchange::set_options() {
  if (easy_ == nullptr) {
    return fail(Code::kResourceExhausted, "libcurl gives no handle");
  }
  HOLDFAST_TRY(const CredentialSet* credentials, engine_.credentials.current());
  set_address();
  set_request(*credentials);
  curl_easy_setopt(easy_, CURLOPT_PRIVATE, this);
  curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, words_.data());
  curl_easy_setopt(easy_, CURLOPT_HEADERFUNCTION, &on_header);
  curl_easy_setopt(easy_, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, &on_body);
  curl_easy_setopt(easy_, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(easy_, CURLOPT_OPENSOCKETFUNCTION, &on_open);
  curl_easy_setopt(easy_, CURLOPT_OPENSOCKETDATA, &engine_);
  curl_easy_setopt(easy_, CURLOPT_CLOSESOCKETFUNCTION, &on_close);
  curl_easy_setopt(easy_, CURLOPT_CLOSESOCKETDATA, &engine_);
  curl_easy_setopt(easy_, CURLOPT_QUICK_EXIT, 1L);  // an ended exchange waits for no name server
  curl_easy_setopt(easy_, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  return {};
}

void CurlHttp::Exchange::set_address() {
  const Config& config = engine_.config;
  std::string url = config.server + request_.path;
  if (!config.tls_server_name.empty()) {
    Url named = parse_url(config.server).value_or(Url{});
    const std::string address =
        named.host.find(':') == std::string::npos ? named.host : "[" + named.host + "]";
    named.host = config.tls_server_name;
    add_header(connect_to_, "::" + address + ":" + std::to_string(named.port));
    curl_easy_setopt(easy_, CURLOPT_CONNECT_TO, connect_to_.get());
    url = named.to_string() + request_.path;
  }
  curl_easy_setopt(easy_, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy_, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
  curl_easy_setopt(easy_, CURLOPT_PROXY, config.proxy.c_str());  // also when empty: else the environment's
  curl_easy_setopt(easy_, CURLOPT_NOPROXY, "");
  const long connect_ms = request_.deadlines.connect.count();
  curl_easy_setopt(easy_, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
  if (!config.unix_socket.empty()) {
    curl_easy_setopt(easy_, CURLOPT_UNIX_SOCKET_PATH, config.unix_socket.c_str());
  }
  curl_easy_setopt(easy_, CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
  curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYPEER, config.verify_server ? 1L : 0L);
  curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYHOST, config.verify_server ? 2L : 0L);
}

void CurlHttp::Exchange::set_request(const CredentialSet& credentials) {
  set_blob(easy_, CURLOPT_CAINFO_BLOB, credentials.ca);
  set_blob(easy_, CURLOPT_SSLCERT_BLOB, credentials.client_certificate);
  set_blob(easy_, CURLOPT_SSLKEY_BLOB, credentials.client_key);
  add_header(headers_, "Accept: " + request_.accept);
  if (!credentials.token.empty()) {
    add_header(headers_, "Authorization: Bearer " + credentials.token);
  }
  curl_easy_setopt(easy_, CURLOPT_USERAGENT, engine_.user_agent.c_str());
  curl_easy_setopt(easy_, CURLOPT_ACCEPT_ENCODING, "gzip");
  curl_easy_setopt(easy_, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  if (!request_.body.empty()) {
    add_header(headers_, "Content-Type: " + request_.content_type);
    add_header(headers_, "Expect:");  // no waiting for a "100 Continue"
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, request_.body.c_str());
  }
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, headers_.get());
}

curl_socket_t CurlHttp::Exchange::on_open(void* engine, curlsocktype /*purpose*/, curl_sockaddr* address) {
  const int fd =
      ::socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address->protocol);
  if (fd < 0) {
    return CURL_SOCKET_BAD;
  }
  keep_alive(fd, address->family);
  Engine& self = *static_cast<Engine*>(engine);
  self.connections_[fd] = ++self.last_connection_;
  return fd;
}

int CurlHttp::Exchange::on_close(void* engine, curl_socket_t fd) {
  Engine& self = *static_cast<Engine*>(engine);
  self.watches_.erase(fd);
  self.connections_.erase(fd);
  return ::close(fd);
}

std::size_t CurlHttp::Exchange::on_header(const char* bytes, std::size_t size, std::size_t count,
                                          void* self) {
  const std::size_t length = size * count;
  return static_cast<Exchange*>(self)->take_header({bytes, length}) ? length : 0;
}

// Also lines of an answer that only announces another, and of a trailer.
bool CurlHttp::Exchange::take_header(std::string_view line) {
  count_bytes();
  head_bytes_ += line.size();
  if (head_bytes_ > kMaxHeadBytes) {
    body_status_ = fail(Code::kUnavailable, name() + ": the answer's head is longer than " +
                                                std::to_string(kMaxHeadBytes) + " bytes");
    return false;
  }
  if (line == "\r\n" || line == "\n") {
    take_head();
  }
  return true;
}

void CurlHttp::Exchange::take_head() {
  long status = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  if (head_taken_ || status < kFirstFinalStatus) {
    return;
  }
  head_taken_ = true;
  response_.end();
  expect(silence_, request_.deadlines.silence, "no bytes");
  if (status == kUnauthorized) {
    engine_.credentials.doubt();
  }
  HttpHead head;
  head.status = static_cast<int>(status);
  const char* type = nullptr;
  curl_easy_getinfo(easy_, CURLINFO_CONTENT_TYPE, &type);
  head.content_type = type == nullptr ? "" : type;
  curl_off_t retry_after = 0;
  curl_easy_getinfo(easy_, CURLINFO_RETRY_AFTER, &retry_after);
  if (retry_after > 0) {
    head.retry_after = std::min(seconds(retry_after), kLongestRetryAfter);
  }
  long local_port = 0;
  curl_easy_getinfo(easy_, CURLINFO_LOCAL_PORT, &local_port);
  head.connection = engine_.connection_of(socket_, local_port);
  if (callbacks_.head) {
    const auto callback = callbacks_.head;  // it may end this exchange, and with it what it is made of
    callback(head);
  }
}

std::size_t CurlHttp::Exchange::on_body(const char* bytes, std::size_t size, std::size_t count, void* self) {
  Exchange& exchange = *static_cast<Exchange*>(self);
  exchange.count_bytes();
  exchange.expect(exchange.silence_, exchange.request_.deadlines.silence, "no bytes");
  if (exchange.callbacks_.body) {
    const auto callback = exchange.callbacks_.body;
    exchange.body_status_ = callback({bytes, size * count});
  }
  return exchange.body_status_ ? size * count : 0;
}

void CurlHttp::Exchange::count_bytes() {
  if (!added_) {
    return;
  }
  long request = 0;
  long head = 0;
  curl_off_t upload = 0;
  curl_off_t download = 0;
  curl_easy_getinfo(easy_, CURLINFO_REQUEST_SIZE, &request);
  curl_easy_getinfo(easy_, CURLINFO_SIZE_UPLOAD_T, &upload);
  curl_easy_getinfo(easy_, CURLINFO_HEADER_SIZE, &head);
  curl_easy_getinfo(easy_, CURLINFO_SIZE_DOWNLOAD_T, &download);
  const double sent = static_cast<double>(request) + static_cast<double>(upload);
  const double received = static_cast<double>(head) + static_cast<double>(download);
  sent_.add(std::max(0.0, sent - sent_counted_));
  received_.add(std::max(0.0, received - received_counted_));
  sent_counted_ = std::max(sent, sent_counted_);
  received_counted_ = std::max(received, received_counted_);
}

Status CurlHttp::Exchange::result(CURLcode code) {
  if (!body_status_) {
    return std::move(body_status_);
  }
  if (code == CURLE_OK && !head_taken_) {  // to libcurl the end of a connection ends a head too
    return fail(Code::kUnavailable, name() + ": the answer ends within its head");
  }
  if (code == CURLE_OK) {
    return {};
  }
  if (code_of(code) == Code::kPermissionDenied) {  // the authority may have been replaced
    engine_.credentials.doubt();
  }
  const std::string words = words_.front() == '\0' ? curl_easy_strerror(code) : words_.data();
  return fail(code_of(code), name() + ": " + words);
}

CurlHttp::Engine::Engine(EventLoop& loop_used, const Config& its_config, Files& files, Metrics& metrics_used,
                         std::string agent)
    : loop(loop_used),
      config(its_config),
      user_agent(std::move(agent)),
      credentials(its_config, files, loop_used.clock()),
      metrics(metrics_used) {}

Status CurlHttp::Engine::set_up() {
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

int CurlHttp::Engine::on_socket(CURL* easy, curl_socket_t fd, int what, void* self, void* /*per_socket*/) {
  Exchange* exchange = nullptr;
  if (what != CURL_POLL_REMOVE && curl_easy_getinfo(easy, CURLINFO_PRIVATE, &exchange) == CURLE_OK &&
      exchange != nullptr) {
    exchange->uses(fd);
  }
  static_cast<Engine*>(self)->watch(fd, what);
  return 0;
}

void CurlHttp::Engine::watch(int fd, int what) {
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

void CurlHttp::Engine::act(int fd, Readiness ready) {
  const int mask = (ready.readable ? CURL_CSELECT_IN : 0) | (ready.writable ? CURL_CSELECT_OUT : 0);
  drive([fd, mask](CURLM* multi) {
    int running = 0;
    curl_multi_socket_action(multi, fd, mask, &running);
  });
}

int CurlHttp::Engine::on_timer(CURLM* /*multi*/, long timeout_ms, void* self) {
  Engine& engine = *static_cast<Engine*>(self);
  if (timeout_ms < 0) {
    engine.timer_.end();
  } else {
    engine.timer_ =
        engine.loop.after(milliseconds(timeout_ms), [&engine] { engine.act(CURL_SOCKET_TIMEOUT, {}); });
  }
  return 0;
}

// Ends the exchanges that libcurl is done with. A callback may end others, so they are found by number.
void CurlHttp::Engine::collect() {
  std::vector<std::pair<std::uint64_t, CURLcode>> done;
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    Exchange* exchange = nullptr;
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

std::uint64_t CurlHttp::Engine::add(HttpRequest request, HttpCallbacks callbacks) {
  const std::uint64_t id = ++last_id_;
  exchanges_.emplace(id, std::make_unique<Exchange>(*this, id, std::move(request), std::move(callbacks)));
  return id;
}

void CurlHttp::Engine::abandon(std::uint64_t id) {
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

void CurlHttp::Engine::finish(std::uint64_t id, Status how) {
  const auto found = exchanges_.find(id);
  const HttpCallbacks callbacks = found->second->take_callbacks();
  exchanges_.erase(found);
  if (callbacks.end) {
    callbacks.end(std::move(how));
  }
}

// Of a UNIX socket that libcurl has not told of it is one on which nobody waits.
std::uint64_t CurlHttp::Engine::sole_idle_connection() const {
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
std::uint64_t CurlHttp::Engine::connection_of(int fd, long local_port) const {
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

Counter& CurlHttp::Engine::bytes(const std::string& resource, const std::string& direction) {
  return metrics.counter("holdfast_api_bytes_total", "Bytes to and from the API server, within TLS",
                         {{"resource", resource}, {"direction", direction}});
}

Result<std::unique_ptr<CurlHttp>> CurlHttp::create(EventLoop& loop, const Config& config, Files& files,
                                                   Metrics& metrics, std::string user_agent) {
  auto engine = std::make_unique<Engine>(loop, config, files, metrics, std::move(user_agent));
  HOLDFAST_CHECK(engine->set_up());
  return std::unique_ptr<CurlHttp>(new CurlHttp(std::move(engine)));
}

CurlHttp::CurlHttp(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}
CurlHttp::~CurlHttp() = default;

std::unique_ptr<HttpExchange> CurlHttp::start(HttpRequest request, HttpCallbacks callbacks) {
  return std::make_unique<Handle>(*engine_, engine_->add(std::move(request), std::move(callbacks)));
}

}  // namespace holdfast::kube
