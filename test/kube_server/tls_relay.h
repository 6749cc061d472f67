#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "test/kube_server/certificates.h"
#include "test/kube_server/http_server.h"

namespace holdfast::test {

/// TLS in front of a server on 127.0.0.1: takes connections by HTTPS and passes their bytes on.
class TlsRelay {
 public:
  /// `server_url`: "http://127.0.0.1:PORT". `clients`: the authority that must have signed a client's
  /// certificate; empty: none is asked for. `at`: an address and a port. Ends the program when it cannot
  /// listen.
  TlsRelay(const std::string& server_url, const KeyPair& own, const std::filesystem::path& clients = {},
           const ListenAt& at = {});
  TlsRelay(const TlsRelay&) = delete;
  TlsRelay& operator=(const TlsRelay&) = delete;
  /// Closes all connections.
  ~TlsRelay();

  /// "https://ADDRESS:PORT".
  [[nodiscard]] std::string url() const;
  /// Connections from now on see this certificate.
  void present(const KeyPair& own);

 private:
  class Work;
  std::unique_ptr<Work> work_;
};

}  // namespace holdfast::test
