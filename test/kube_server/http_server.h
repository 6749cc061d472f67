#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/event_loop.h"
#include "common/base/fd.h"
#include "common/base/result.h"

namespace holdfast::test {

struct ServerRequest {
  std::string method;
  std::string path;                            ///< without the query
  std::map<std::string, std::string> query;    ///< unescaped
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;
};

/// What the head of a request says, without its empty line.
[[nodiscard]] ServerRequest parse_request_head(std::string_view head);

/// Answers one request, now or later; once whole() or end() has been called the connection takes the next
/// one. What is sent after the client has gone is lost. May be copied.
class Responder {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;
  class Connection;
  explicit Responder(std::weak_ptr<Connection> connection) : connection_(std::move(connection)) {}

  void whole(int status, std::string_view body, const Headers& headers = {});
  /// Begins an answer in chunks.
  void begin(int status, const Headers& headers = {});
  void chunk(std::string_view bytes);
  void end();
  /// These bytes as they are.
  void raw(std::string_view bytes);
  /// Closes the connection after what has been sent.
  void drop();
  [[nodiscard]] bool gone() const { return connection_.expired(); }

 private:
  std::weak_ptr<Connection> connection_;  // weak: the client may go at any time
};

/// Where a server is reached.
struct ListenAt {
  std::string address = "127.0.0.1";    ///< IPv4, of the calling thread's network namespace
  std::uint16_t port = 0;               ///< 0: a free one
  std::filesystem::path unix_socket{};  ///< in place of both, when not empty
};

/// A small HTTP/1.1 server on an event loop, for tests: requests with Content-Length only, no pipelining.
class HttpServer {
 public:
  using Handler = std::function<void(const ServerRequest&, Responder)>;

  /// Ends the program when it cannot listen.
  HttpServer(EventLoop& loop, Handler handler, const ListenAt& at = {});
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer();

  /// "http://127.0.0.1:PORT" or "unix:///...".
  [[nodiscard]] const std::string& url() const { return url_; }
  /// Closes all connections, as a server that is started again does.
  void drop_all();

  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t accepted = 0;  ///< connections, since the start

 private:
  friend class Responder::Connection;
  void accept();

  EventLoop& loop_;
  Handler handler_;
  std::string url_;
  Fd listener_;
  EventLoop::Watch watch_;
  std::map<std::uint64_t, std::shared_ptr<Responder::Connection>> connections_;  // shared: see Responder
};

}  // namespace holdfast::test
