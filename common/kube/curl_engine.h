#pragma once

#include <cstdint>
#include <curl/curl.h>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/event_loop.h"
#include "common/base/files.h"
#include "common/base/metrics.h"
#include "common/base/result.h"
#include "common/kube/config.h"
#include "common/kube/credentials.h"
#include "common/kube/http.h"

namespace holdfast::kube {

class CurlExchange;

// libcurl's process-wide part; counted there, so that several may exist.
class CurlLibrary {
 public:
  CurlLibrary();
  CurlLibrary(const CurlLibrary&) = delete;
  CurlLibrary& operator=(const CurlLibrary&) = delete;
  ~CurlLibrary();
  [[nodiscard]] bool ready() const { return ready_; }

 private:
  bool ready_;
};

/// All exchanges of one multi handle, and its sockets; what CurlHttp is made of. Calls of libcurl must not be
/// nested: what a callback of ours asks for while one runs (inside_) is done after it.
class CurlEngine {
 public:
  CurlEngine(EventLoop& loop, const Config& config, Files& files, Metrics& metrics, std::string user_agent);
  CurlEngine(const CurlEngine&) = delete;
  CurlEngine& operator=(const CurlEngine&) = delete;
  ~CurlEngine();

  /// Once, before all else. Errors: kInternal when libcurl cannot be set up.
  Status set_up();
  /// Begins an exchange in the loop's next turn. Its number.
  std::uint64_t add(HttpRequest request, HttpCallbacks callbacks);
  /// The exchange calls nobody any more; it is gone now or when libcurl has returned.
  void abandon(std::uint64_t id);
  /// Ends it and tells.
  void finish(std::uint64_t id, Status how);
  /// Takes an easy handle out, before it is freed.
  void remove(CURL* easy) { curl_multi_remove_handle(multi_.get(), easy); }

  /// The number of a connection by its local port, or without one (of a UNIX socket it is 0 or less) by its
  /// descriptor, which is -1 as long as libcurl has not told it. 0: not known.
  [[nodiscard]] std::uint64_t connection_of(int fd, long local_port) const;
  Counter& bytes(const std::string& resource, const std::string& direction);

  /// libcurl's CURLOPT_OPENSOCKETFUNCTION and CURLOPT_CLOSESOCKETFUNCTION; `engine` is a CurlEngine.
  static curl_socket_t open_socket(void* engine, curlsocktype purpose, curl_sockaddr* address);
  static int close_socket(void* engine, curl_socket_t fd);

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
    settle();
  }

 private:
  struct MultiDeleter {
    void operator()(CURLM* multi) const noexcept { curl_multi_cleanup(multi); }
  };

  static int on_socket(CURL* easy, curl_socket_t fd, int what, void* self, void* per_socket);
  static int on_timer(CURLM* multi, long timeout_ms, void* self);

  void watch(int fd, int what);
  void act(int fd, Readiness ready);
  void settle();
  void collect();
  [[nodiscard]] std::uint64_t sole_idle_connection() const;

  CurlLibrary library_;
  std::unordered_map<int, EventLoop::Watch> watches_;
  std::unordered_map<int, std::uint64_t> connections_;  // open sockets, and the number of each
  EventLoop::Timer timer_;
  std::unique_ptr<CURLM, MultiDeleter> multi_;  // goes before what its last calls touch
  bool inside_ = false;
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, std::unique_ptr<CurlExchange>> exchanges_;  // goes before multi_
  std::vector<std::unique_ptr<CurlExchange>> dead_;
  std::uint64_t last_connection_ = 0;
};

}  // namespace holdfast::kube
