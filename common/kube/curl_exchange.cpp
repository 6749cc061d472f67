#include "common/kube/curl_exchange.h"

#include <algorithm>
#include <utility>

#include "common/kube/curl_engine.h"
#include "common/kube/url.h"

namespace holdfast::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kMaxHeadBytes = std::size_t{64} << 10;
constexpr seconds kLongestRetryAfter{3600};
constexpr const char* kAuditId = "Audit-Id";
constexpr int kUnauthorized = 401;
constexpr int kFirstFinalStatus = 200;  // those before it announce another head

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

}  // namespace

CurlExchange::CurlExchange(CurlEngine& engine, std::uint64_t id, HttpRequest request, HttpCallbacks callbacks)
    : engine_(engine),
      id_(id),
      request_(std::move(request)),
      callbacks_(std::move(callbacks)),
      easy_(curl_easy_init()),
      sent_(engine.bytes(request_.resource, "sent")),
      received_(engine.bytes(request_.resource, "received")) {
  begin_ = engine_.loop.after({}, [this] { begin(); });
}

CurlExchange::~CurlExchange() {
  count_bytes();
  if (added_) {
    engine_.remove(easy_);
  }
  curl_easy_cleanup(easy_);
}

void CurlExchange::add_header(HeaderList& list, const std::string& line) {
  list.reset(curl_slist_append(list.release(), line.c_str()));
}

std::string CurlExchange::name() const {
  return request_.method + " " + engine_.config.server + request_.path.substr(0, request_.path.find('?'));
}

void CurlExchange::begin() {
  if (Status set = set_options(); !set) {
    engine_.finish(id_, tl::unexpected(std::move(set).error().within(name())));
    return;
  }
  added_ = true;
  expect(response_, request_.deadlines.response, "no answer");
  expect(whole_, request_.deadlines.whole, "not finished");
  engine_.drive([this](CURLM* multi) { curl_multi_add_handle(multi, easy_); });
}

void CurlExchange::expect(EventLoop::Timer& timer, milliseconds within, std::string_view what) {
  if (within > milliseconds::zero()) {
    timer = engine_.loop.after(within, [this, &timer, within, what] {
      // what came while the loop was busy with something else is taken in this turn
      timer = engine_.loop.after({}, [this, within, what] { give_up(within, what); });
    });
  }
}

void CurlExchange::give_up(milliseconds after, std::string_view what) {
  std::string message = name() + ": ";
  message += what;
  message += " after " + std::to_string(after.count()) + " ms";
  engine_.finish(id_, fail(Code::kDeadlineExceeded, std::move(message)));
}

Status CurlExchange::set_options() {
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
  curl_easy_setopt(easy_, CURLOPT_OPENSOCKETFUNCTION, &CurlEngine::open_socket);
  curl_easy_setopt(easy_, CURLOPT_OPENSOCKETDATA, &engine_);
  curl_easy_setopt(easy_, CURLOPT_CLOSESOCKETFUNCTION, &CurlEngine::close_socket);
  curl_easy_setopt(easy_, CURLOPT_CLOSESOCKETDATA, &engine_);
  curl_easy_setopt(easy_, CURLOPT_QUICK_EXIT, 1L);  // an ended exchange waits for no name server
  curl_easy_setopt(easy_, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  return {};
}

void CurlExchange::set_address() {
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

void CurlExchange::set_request(const CredentialSet& credentials) {
  set_blob(easy_, CURLOPT_CAINFO_BLOB, credentials.ca);
  set_blob(easy_, CURLOPT_SSLCERT_BLOB, credentials.client_certificate);
  set_blob(easy_, CURLOPT_SSLKEY_BLOB, credentials.client_key);
  add_header(headers_, "Accept: " + request_.accept);
  if (!credentials.token.empty()) {
    add_header(headers_, "Authorization: Bearer " + credentials.token);
  }
  if (!request_.audit_id.empty()) {
    add_header(headers_, std::string(kAuditId) + ": " + request_.audit_id);
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

std::size_t CurlExchange::on_header(const char* bytes, std::size_t size, std::size_t count, void* self) {
  const std::size_t length = size * count;
  return static_cast<CurlExchange*>(self)->take_header({bytes, length}) ? length : 0;
}

// Also lines of an answer that only announces another, and of a trailer.
bool CurlExchange::take_header(std::string_view line) {
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

void CurlExchange::take_head() {
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
  curl_header* audit_id = nullptr;
  if (curl_easy_header(easy_, kAuditId, 0, CURLH_HEADER, -1, &audit_id) == CURLHE_OK) {
    head.audit_id = audit_id->value;
  }
  if (callbacks_.head) {
    const auto callback = callbacks_.head;  // it may end this exchange, and with it what it is made of
    callback(head);
  }
}

std::size_t CurlExchange::on_body(const char* bytes, std::size_t size, std::size_t count, void* self) {
  CurlExchange& exchange = *static_cast<CurlExchange*>(self);
  exchange.count_bytes();
  exchange.expect(exchange.silence_, exchange.request_.deadlines.silence, "no bytes");
  if (exchange.callbacks_.body) {
    const auto callback = exchange.callbacks_.body;
    exchange.body_status_ = callback({bytes, size * count});
  }
  return exchange.body_status_ ? size * count : 0;
}

void CurlExchange::count_bytes() {
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

Status CurlExchange::result(CURLcode code) {
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

}  // namespace holdfast::kube
