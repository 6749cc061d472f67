#include "common/cloud/http_client.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <curl/curl.h>
#include <string_view>

#include "common/base/text.h"

namespace holdfast::cloud {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kMostConnect{10'000};
constexpr seconds kLongestRetryAfter{3600};

struct ListDeleter {
  void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, ListDeleter>;

// What comes, as it comes.
struct Arrival {
  HttpReply reply;
  bool too_long = false;
};

// The value of a header, when the line is that header.
std::optional<std::string_view> value_of(std::string_view line, std::string_view name) {
  if (line.size() <= name.size() || line[name.size()] != ':') return std::nullopt;
  const bool same = std::equal(name.begin(), name.end(), line.begin(), [](char a, char b) {
    return a == static_cast<char>(std::tolower(static_cast<unsigned char>(b)));
  });
  return same ? std::optional(trim(line.substr(name.size() + 1))) : std::nullopt;
}

std::size_t on_header(const char* bytes, std::size_t size, std::size_t count, void* into) {
  HttpReply& reply = static_cast<Arrival*>(into)->reply;
  const std::string_view line(bytes, size * count);
  if (const auto text = value_of(line, "retry-after")) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (error == std::errc{} && number >= 0) {
      reply.retry_after = std::min(kLongestRetryAfter, seconds(std::min<std::int64_t>(number, 1 << 20)));
    }
  }
  if (const auto text = value_of(line, "date")) {
    const std::time_t time = curl_getdate(std::string(*text).c_str(), nullptr);
    if (time > 0) reply.date = std::chrono::sys_seconds(seconds(time));
  }
  return size * count;
}

std::size_t on_body(const char* bytes, std::size_t size, std::size_t count, void* into) {
  Arrival& arrival = *static_cast<Arrival*>(into);
  if (arrival.reply.body.size() + size * count > CurlClient::kMostBodyBytes) {
    arrival.too_long = true;
    return 0;
  }
  arrival.reply.body.append(bytes, size * count);
  return size * count;
}

// Before each time that a request goes out. libcurl asks once more by itself when a kept connection ends
// without an answer; the server may have done what the first one said.
int on_request(void* into, char* /*address*/, char* /*own_address*/, int /*port*/, int /*own_port*/) {
  int& requests = *static_cast<int*>(into);
  return ++requests == 1 ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

HeaderList list_of(const HttpRequest& request) {
  HeaderList list;
  const auto add = [&list](const std::string& line) {
    list.reset(curl_slist_append(list.release(), line.c_str()));
  };
  add("Expect:");
  if (request.method != "GET") add("Content-Type:");
  for (const auto& [name, value] : request.headers) {
    std::string line = name;
    line += ": ";
    line += value;
    add(line);
  }
  return list;
}

}  // namespace

// One handle of libcurl, for one exchange after the other.
class CurlClient::Handle {
 public:
  Handle() : easy_(curl_easy_init()) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { curl_easy_cleanup(easy_); }

  Answer<HttpReply> exchange(const HttpRequest& request, const std::string& agent, milliseconds deadline);

 private:
  void set_options(const HttpRequest& request, const std::string& agent, milliseconds deadline);
  [[nodiscard]] bool something_left() const;

  CURL* easy_;
  std::array<char, CURL_ERROR_SIZE> words_{};
};

Answer<HttpReply> CurlClient::Handle::exchange(const HttpRequest& request, const std::string& agent,
                                               milliseconds deadline) {
  if (easy_ == nullptr) return ends(CallEnd::kNotSent, "libcurl gives no handle");
  set_options(request, agent, deadline);
  const HeaderList headers = list_of(request);
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, headers.get());
  Arrival arrival;
  int requests = 0;
  curl_easy_setopt(easy_, CURLOPT_PREREQFUNCTION, &on_request);
  curl_easy_setopt(easy_, CURLOPT_PREREQDATA, &requests);
  curl_easy_setopt(easy_, CURLOPT_HEADERDATA, &arrival);
  curl_easy_setopt(easy_, CURLOPT_WRITEDATA, &arrival);
  const CURLcode code = curl_easy_perform(easy_);
  long status = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  arrival.reply.status = static_cast<int>(status);
  if (code == CURLE_OK && status != 0) return std::move(arrival.reply);
  const std::string server = request.url.substr(0, request.url.find('?'));
  std::string why = words_.front() == '\0' ? curl_easy_strerror(code) : words_.data();
  if (arrival.too_long) why = "the answer is longer than " + std::to_string(kMostBodyBytes) + " bytes";
  if (requests > 1) why = "the connection ended without an answer";
  const CallEnd end = requests > 1 || something_left() ? CallEnd::kUnknownOutcome : CallEnd::kNotSent;
  return ends(end, request.method + " " + server + ": " + why);
}

void CurlClient::Handle::set_options(const HttpRequest& request, const std::string& agent,
                                     milliseconds deadline) {
  curl_easy_reset(easy_);  // keeps its connections
  words_.front() = '\0';
  const bool plain = request.url.starts_with("http:");
  curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, words_.data());
  curl_easy_setopt(easy_, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
  if (plain) curl_easy_setopt(easy_, CURLOPT_PROXY, "");
  curl_easy_setopt(easy_, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
  curl_easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy_, CURLOPT_USERAGENT, agent.c_str());
  curl_easy_setopt(easy_, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  curl_easy_setopt(easy_, CURLOPT_TIMEOUT_MS, deadline.count());
  curl_easy_setopt(easy_, CURLOPT_CONNECTTIMEOUT_MS, std::min(deadline, kMostConnect).count());
  curl_easy_setopt(easy_, CURLOPT_HEADERFUNCTION, &on_header);
  curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, &on_body);
  if (request.method != "GET") {
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, request.body.c_str());
  }
}

bool CurlClient::Handle::something_left() const {
  long bytes = 0;
  curl_easy_getinfo(easy_, CURLINFO_REQUEST_SIZE, &bytes);
  return bytes > 0;
}

CurlClient::CurlClient(std::string user_agent) : user_agent_(std::move(user_agent)) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
}

CurlClient::~CurlClient() {
  idle_.clear();
  curl_global_cleanup();
}

std::unique_ptr<CurlClient::Handle> CurlClient::take() {
  const std::lock_guard lock(mutex_);
  if (idle_.empty()) return std::make_unique<Handle>();
  std::unique_ptr<Handle> handle = std::move(idle_.back());
  idle_.pop_back();
  return handle;
}

void CurlClient::give_back(std::unique_ptr<Handle> handle) {
  const std::lock_guard lock(mutex_);
  if (idle_.size() < kMostKept) idle_.push_back(std::move(handle));
}

Answer<HttpReply> CurlClient::exchange(const HttpRequest& request, milliseconds deadline) {
  if (deadline <= milliseconds::zero())
    return ends(CallEnd::kNotSent, request.method + ": no time is left for it");
  std::unique_ptr<Handle> handle = take();
  Answer<HttpReply> answer = handle->exchange(request, user_agent_, deadline);
  give_back(std::move(handle));
  return answer;
}

}  // namespace holdfast::cloud
