#include "test/kube_server/tls_relay.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <array>
#include <exception>
#include <list>
#include <mutex>
#include <openssl/ssl.h>
#include <thread>

#include "common/base/fd.h"
#include "common/kube/url.h"

namespace holdfast::test {
namespace {

constexpr int kReadSize = 16384;

struct ContextDeleter {
  void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
};
struct SslDeleter {
  void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
};
using ContextPtr = std::unique_ptr<SSL_CTX, ContextDeleter>;
using SslPtr = std::unique_ptr<SSL, SslDeleter>;

constexpr const char* kLoopback = "127.0.0.1";

void must(bool holds) {
  if (!holds) {
    std::terminate();
  }
}

sockaddr_in address_of(const std::string& text, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  must(::inet_pton(AF_INET, text.c_str(), &address.sin_addr) == 1);
  return address;
}

ContextPtr context_of(const KeyPair& own, const std::filesystem::path& clients) {
  ContextPtr context(SSL_CTX_new(TLS_server_method()));
  must(SSL_CTX_use_certificate_chain_file(context.get(), own.certificate.c_str()) == 1);
  must(SSL_CTX_use_PrivateKey_file(context.get(), own.key.c_str(), SSL_FILETYPE_PEM) == 1);
  if (!clients.empty()) {
    must(SSL_CTX_load_verify_locations(context.get(), clients.c_str(), nullptr) == 1);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  return context;
}

// Passes bytes on until one side has ended.
void relay(SSL* client, int client_fd, int server_fd) {
  std::array<char, kReadSize> buffer{};
  std::array<pollfd, 2> both{pollfd{client_fd, POLLIN, 0}, pollfd{server_fd, POLLIN, 0}};
  for (;;) {
    const bool client_waits = SSL_pending(client) > 0;
    if (!client_waits && ::poll(both.data(), both.size(), -1) < 0) {
      return;
    }
    if (client_waits || both[0].revents != 0) {
      const int count = SSL_read(client, buffer.data(), kReadSize);
      if (count <= 0 ||
          ::send(server_fd, buffer.data(), static_cast<std::size_t>(count), MSG_NOSIGNAL) != count) {
        return;
      }
    }
    if (!client_waits && both[1].revents != 0) {
      const auto count = ::recv(server_fd, buffer.data(), buffer.size(), 0);
      if (count <= 0 || SSL_write(client, buffer.data(), static_cast<int>(count)) != count) {
        return;
      }
    }
  }
}

}  // namespace

// One thread that accepts, and one a connection.
class TlsRelay::Work {
 public:
  Work(std::uint16_t server_port, const KeyPair& own, std::filesystem::path clients, const ListenAt& at)
      : server_port_(server_port),
        clients_(std::move(clients)),
        address_(at.address),
        context_(context_of(own, clients_)) {
    const sockaddr_in own_address = address_of(address_, at.port);
    must(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&own_address), sizeof(own_address)) == 0);
    must(::listen(listener_.get(), SOMAXCONN) == 0);
    sockaddr_in bound{};
    socklen_t size = sizeof(bound);
    must(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&bound), &size) == 0);
    port_ = ntohs(bound.sin_port);
    // SSL_write() to a client that has gone; there is no way to tell it to raise no signal.
    ::signal(SIGPIPE, SIG_IGN);
    acceptor_ = std::thread([this] { accept(); });
  }
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;
  ~Work() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    acceptor_.join();
    for (Connection& connection : connections_) {
      ::shutdown(connection.client.get(), SHUT_RDWR);
      connection.thread.join();
    }
  }

  [[nodiscard]] std::string url() const { return "https://" + address_ + ":" + std::to_string(port_); }
  void present(const KeyPair& own) {
    const std::lock_guard lock(mutex_);
    context_ = context_of(own, clients_);
  }

 private:
  struct Connection {
    Fd client;
    std::thread thread;
  };

  void accept() {
    for (;;) {
      Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client.valid()) {
        return;
      }
      Connection& connection = connections_.emplace_back();
      connection.client = std::move(client);
      connection.thread = std::thread([this, fd = connection.client.get()] { serve(fd); });
    }
  }

  void serve(int client) {
    SslPtr ssl;
    {
      const std::lock_guard lock(mutex_);
      ssl.reset(SSL_new(context_.get()));
    }
    SSL_set_fd(ssl.get(), client);
    const sockaddr_in address = address_of(kLoopback, server_port_);
    const Fd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (SSL_accept(ssl.get()) == 1 &&
        ::connect(server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
      relay(ssl.get(), client, server.get());
    }
    ::shutdown(client, SHUT_RDWR);
  }

  std::uint16_t server_port_;
  std::filesystem::path clients_;
  std::string address_;
  Fd listener_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::uint16_t port_ = 0;
  std::mutex mutex_;  // guards context_
  ContextPtr context_;
  std::thread acceptor_;
  std::list<Connection> connections_;  // of the acceptor's thread until it has ended
};

TlsRelay::TlsRelay(const std::string& server_url, const KeyPair& own, const std::filesystem::path& clients,
                   const ListenAt& at)
    : work_(std::make_unique<Work>(kube::parse_url(server_url).value().port, own, clients, at)) {}

TlsRelay::~TlsRelay() = default;

std::string TlsRelay::url() const { return work_->url(); }

void TlsRelay::present(const KeyPair& own) { work_->present(own); }

}  // namespace holdfast::test
