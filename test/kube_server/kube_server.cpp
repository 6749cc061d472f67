// The tests' API server as a program: HTTPS, one token, objects in memory.
//
//     kube_server ADDRESS:PORT CERTIFICATE KEY TOKEN
//
// ADDRESS is IPv4; CERTIFICATE and KEY are PEM files. It prints its address as "https://..." when it listens,
// and serves until it is killed. Who does not send TOKEN is answered 401. Exit status: 2 for other arguments.

#include <unistd.h>

#include <charconv>
#include <iostream>
#include <optional>
#include <span>
#include <string>

#include "test/kube_server/api_server_thread.h"
#include "test/kube_server/tls_relay.h"

namespace {

using namespace holdfast::test;

std::optional<ListenAt> parse_address(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  ListenAt at{.address = text.substr(0, colon)};
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + colon + 1, end, at.port);
  return error == std::errc() && rest == end ? std::optional(at) : std::nullopt;
}

}  // namespace

int main(int argc, char** argv) {
  const std::span<char*> arguments(argv, static_cast<std::size_t>(argc));
  const std::optional<ListenAt> at = argc == 5 ? parse_address(arguments[1]) : std::nullopt;
  if (!at) {
    std::cerr << "usage: kube_server ADDRESS:PORT CERTIFICATE KEY TOKEN\n";
    return 2;
  }
  ApiServerThread server;
  server.with([&](ApiServer& api) {
    api.require_token(arguments[4]);
    api.be_whole_cluster();
  });
  const TlsRelay relay(server.url(), {.certificate = arguments[2], .key = arguments[3]}, {}, *at);
  std::cout << relay.url() << std::endl;
  for (;;) ::pause();
}
