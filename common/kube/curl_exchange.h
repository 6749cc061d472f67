#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <curl/curl.h>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/event_loop.h"
#include "common/base/metrics.h"
#include "common/base/result.h"
#include "common/kube/credentials.h"
#include "common/kube/http.h"

namespace holdfast::kube {

class CurlEngine;

/// One request on its way, as an easy handle. It asks its engine to finish it, and is gone when that returns.
class CurlExchange {
 public:
  CurlExchange(CurlEngine& engine, std::uint64_t id, HttpRequest request, HttpCallbacks callbacks);
  CurlExchange(const CurlExchange&) = delete;
  CurlExchange& operator=(const CurlExchange&) = delete;
  ~CurlExchange();

  [[nodiscard]] std::uint64_t id() const { return id_; }
  /// It calls nobody any more.
  void silence() { callbacks_ = {}; }
  [[nodiscard]] HttpCallbacks take_callbacks() { return std::move(callbacks_); }
  /// What it came to when libcurl says `code`. Once, at its end.
  [[nodiscard]] Status result(CURLcode code);
  /// libcurl's CURLINFO_ACTIVESOCKET tells of exchanges that have ended only.
  void uses(int socket) { socket_ = socket; }

 private:
  struct ListDeleter {
    void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
  };
  using HeaderList = std::unique_ptr<curl_slist, ListDeleter>;

  static void add_header(HeaderList& list, const std::string& line);
  static std::size_t on_header(const char* bytes, std::size_t size, std::size_t count, void* self);
  static std::size_t on_body(const char* bytes, std::size_t size, std::size_t count, void* self);

  void begin();
  Status set_options();
  void set_address();
  void set_request(const CredentialSet& credentials);
  void count_bytes();
  bool take_header(std::string_view line);
  void take_head();
  void expect(EventLoop::Timer& timer, std::chrono::milliseconds within, std::string_view what);
  void give_up(std::chrono::milliseconds after, std::string_view what);
  [[nodiscard]] std::string name() const;

  CurlEngine& engine_;
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

}  // namespace holdfast::kube
