// The tests' API server as a program: HTTPS, tokens, objects in memory.
//
//     kube_server ADDRESS:PORT CERTIFICATE KEY TOKEN [MANIFESTS [TOKEN=NAMESPACE/NAME@NODE]...]
//
// ADDRESS is IPv4; CERTIFICATE and KEY are PEM files. It prints its address as "https://..." when it listens,
// and serves until it is killed. Who sends TOKEN may do all. MANIFESTS is a folder: who sends one of the
// further tokens is that service account by a token bound to that Node, may do what roles of the folder let
// it do, and is judged by the folder's admission policies. Anybody else is answered 401. Exit status: 2 for
// other arguments.

#include <unistd.h>

#include <charconv>
#include <exception>
#include <filesystem>
#include <iostream>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "test/kube_server/api_server_thread.h"
#include "test/kube_server/role_rules.h"
#include "test/kube_server/tls_relay.h"

namespace {

using namespace holdfast::test;
using nlohmann::json;

constexpr std::size_t kWithoutManifests = 5;

std::optional<ListenAt> parse_address(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  ListenAt at{.address = text.substr(0, colon)};
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + colon + 1, end, at.port);
  return error == std::errc() && rest == end ? std::optional(at) : std::nullopt;
}

/// A token of a service account's that is bound to a Node.
struct BoundToken {
  std::string token;
  std::string name_space;
  std::string name;
  std::string node;
};

std::optional<BoundToken> parse_bound_token(const std::string& text) {
  const std::size_t equals = text.find('=');
  const std::size_t slash = text.find('/', equals);
  const std::size_t at = text.find('@', slash);
  if (at == std::string::npos) return std::nullopt;
  return BoundToken{.token = text.substr(0, equals),
                    .name_space = text.substr(equals + 1, slash - equals - 1),
                    .name = text.substr(slash + 1, at - slash - 1),
                    .node = text.substr(at + 1)};
}

json user_of(const BoundToken& token) {
  return {{"username", "system:serviceaccount:" + token.name_space + ":" + token.name},
          {"extra", {{"authentication.kubernetes.io/node-name", {token.node}}}}};
}

void admit_by_all(ApiServer& api, const std::filesystem::path& manifests) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(manifests)) {
    if (entry.path().filename() == "admission.yaml") api.admit_by(entry.path());
  }
}

int usage() {
  std::cerr
      << "usage: kube_server ADDRESS:PORT CERTIFICATE KEY TOKEN [MANIFESTS [TOKEN=NAMESPACE/NAME@NODE]...]\n";
  return 2;
}

void know(ApiServer& api, const BoundToken& token, const Roles& roles) {
  api.know_user(token.token, user_of(token));
  api.bind_token(token.token, roles.bound_to(token.name_space + "/" + token.name));
}

int serve(const std::vector<std::string>& arguments) {
  const std::optional<ListenAt> at =
      arguments.size() < kWithoutManifests ? std::nullopt : parse_address(arguments[1]);
  if (!at) return usage();
  ApiServerThread server;
  server.with([&](ApiServer& api) {
    api.require_token(arguments[4]);
    api.be_whole_cluster();
  });
  if (arguments.size() > kWithoutManifests) {
    const std::string& manifests = arguments[kWithoutManifests];
    const Roles roles = Roles::in(manifests);
    server.with([&](ApiServer& api) { admit_by_all(api, manifests); });
    for (const std::string& word : std::span(arguments).subspan(kWithoutManifests + 1)) {
      const auto token = parse_bound_token(word);
      if (!token) return usage();
      server.with([&](ApiServer& api) { know(api, *token, roles); });
    }
  }
  const TlsRelay relay(server.url(), {.certificate = arguments[2], .key = arguments[3]}, {}, *at);
  std::cout << relay.url() << std::endl;
  for (;;) ::pause();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return serve({argv, argv + argc});
  } catch (const std::exception& error) {
    std::cerr << "kube_server: " << error.what() << "\n";
    return 2;
  }
}
