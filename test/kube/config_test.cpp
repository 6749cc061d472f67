#include "common/kube/config.h"

#include <map>

#include "common/base/state_file.h"
#include "test/catch.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::kube {
namespace {

constexpr const char* kKubeconfig = R"(apiVersion: v1
kind: Config
current-context: edge
clusters:
- name: other
  cluster: {server: https://other}
- name: main
  cluster:
    server: https://10.0.0.1:6443
    certificate-authority-data: Q0E=
    tls-server-name: api.example
contexts:
- name: edge
  context: {cluster: main, user: node, namespace: net}
- name: plain
  context: {cluster: other}
users:
- name: node
  user:
    client-certificate: pki/node.pem
    client-key-data: S0VZ
    token: direct
    tokenFile: /run/token
)";

struct Source {
  test::TemporaryFolder folder;
  PosixFiles files;
  std::map<std::string, std::string> variables;
  ConfigSource source{.service_account = folder.path(),
                      .environment = [this](const std::string& name) -> std::optional<std::string> {
                        const auto found = variables.find(name);
                        return found == variables.end() ? std::nullopt : std::optional(found->second);
                      }};

  void kubeconfig(const std::string& text) {
    source.kubeconfig = folder / "kubeconfig";
    REQUIRE(replace_file(files, source.kubeconfig, text));
  }
  Result<Config> load() { return load_config(files, source); }
  std::string error() {
    const auto config = load();
    REQUIRE_FALSE(config);
    return config.error().message;
  }
};

// One context of one cluster and user, in flow style.
std::string one_user(const std::string& cluster, const std::string& user) {
  return "current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\nclusters: [{name: c, "
         "cluster: {" +
         cluster + "}}]\nusers: [{name: u, user: {" + user + "}}]\n";
}

TEST_CASE("a kubeconfig gives server, certificates and token, files relative to its folder", "[kube]") {
  Source source;
  source.kubeconfig(kKubeconfig);
  const Config config = source.load().value();
  CHECK(config.server == "https://10.0.0.1:6443");
  CHECK(config.ca.bytes == "CA");
  CHECK(config.tls_server_name == "api.example");
  CHECK(config.verify_server);
  CHECK(config.client_certificate.file == source.folder / "pki/node.pem");
  CHECK(config.client_key.bytes == "KEY");
  CHECK(config.token.file == "/run/token");
  CHECK(config.token.bytes.empty());
  CHECK(config.name_space == "net");
  CHECK(config.proxy.empty());
}

TEST_CASE("a server without TLS that is asked for by itself wants no pod's credentials", "[kube]") {
  Source source;
  source.source.server = "http://127.0.0.1:8001";
  const auto config = source.load();
  REQUIRE(config.has_value());
  CHECK(config->server == "http://127.0.0.1:8001");
  CHECK_FALSE(config->token.given());
  CHECK_FALSE(config->ca.given());
}

TEST_CASE("another context and another server may be asked for", "[kube]") {
  Source source;
  source.kubeconfig(kKubeconfig);
  source.source.context = "plain";
  CHECK(source.load().value().server == "https://other:443");
  CHECK_FALSE(source.load().value().token.given());
  source.source.server = "http://127.0.0.1:10261";
  CHECK(source.load().value().server == "http://127.0.0.1:10261");
}

TEST_CASE("a pod is told its server by the environment and its credentials by files", "[kube]") {
  Source source;
  REQUIRE(replace_file(source.files, source.folder / "namespace", "kube-flannel"));
  source.variables = {{"KUBERNETES_SERVICE_HOST", "fd00::1"}, {"KUBERNETES_SERVICE_PORT", "443"}};
  const Config config = source.load().value();
  CHECK(config.server == "https://[fd00::1]:443");
  CHECK(config.token.file == source.folder / "token");
  CHECK(config.ca.file == source.folder / "ca.crt");
  CHECK(config.name_space == "kube-flannel");
  source.source.server = "https://10.0.0.9:6443";
  CHECK(source.load().value().server == "https://10.0.0.9:6443");
  source.source.server.clear();
  source.variables.erase("KUBERNETES_SERVICE_PORT");
  CHECK_THAT(source.error(), Catch::Contains("this is no pod; give a kubeconfig"));
}

TEST_CASE("a server may be a socket, which has no proxy and may get the token", "[kube]") {
  Source source;
  source.variables = {{"HTTP_PROXY", "http://p"}};
  source.kubeconfig(one_user("server: 'unix:///run/api.sock'", "token: t"));
  const Config config = source.load().value();
  CHECK(config.unix_socket == "/run/api.sock");
  CHECK(config.server == "http://localhost");
  CHECK(config.proxy.empty());
}

TEST_CASE("the proxy is the kubeconfig's, else the environment's", "[kube]") {
  Source source;
  source.variables = {{"HTTPS_PROXY", "http://environment:1"}};
  source.kubeconfig(one_user("server: 'https://api'", ""));
  CHECK(source.load().value().proxy == "http://environment:1");
  source.kubeconfig(one_user("server: 'https://api', proxy-url: 'http://file:2'", ""));
  CHECK(source.load().value().proxy == "http://file:2");
}

TEST_CASE("a server is left unverified only if the program allows it", "[kube]") {
  Source source;
  source.kubeconfig(one_user("server: 'https://api', insecure-skip-tls-verify: true", ""));
  CHECK_THAT(source.error(), Catch::Contains("clusters[0].cluster.insecure-skip-tls-verify") &&
                                 Catch::Contains("put the CA's certificate into"));
  source.source.allow_insecure = true;
  CHECK_FALSE(source.load().value().verify_server);
}

TEST_CASE("what is wrong with a kubeconfig is told with file, field and cure", "[kube]") {
  struct Case {
    const char* name;
    std::string text;
    const char* error;
  };
  const std::string api = "server: 'https://api'";
  const Case cases[] = {
      {"empty", "", "holds 0 documents instead of one"},
      {"torn", "a: [", "line 1"},
      {"no current context", "clusters: []", "current-context: is missing"},
      {"unknown context", "current-context: x", "contexts: has no entry named 'x'"},
      {"unknown cluster", "current-context: a\ncontexts: [{name: a, context: {cluster: c}}]",
       "clusters: has no entry named 'c'"},
      {"no server", one_user("", ""), "clusters[0].cluster.server: is missing"},
      {"bad server", one_user("server: api", ""),
       "clusters[0].cluster.server: 'api' does not begin with http:// or https://"},
      {"relative socket", one_user("server: 'unix://api.sock'", ""),
       "has no absolute path; write unix:///run/..."},
      {"bad base64", one_user(api + ", certificate-authority-data: '*'", ""),
       "clusters[0].cluster.certificate-authority-data: character 1 is not base64"},
      {"program", one_user(api, "exec: {command: aws}"),
       "users[0].user.exec: no program is run for credentials; use tokenFile"},
      {"password", one_user(api, "username: a"), "users[0].user.username: API servers take no passwords"},
      {"half a pair", one_user(api, "client-key-data: S0VZ"),
       "users[0].user: client-certificate and client-key are needed both or neither"},
      {"token in clear", one_user("server: 'http://10.0.0.1:8080'", "token: t"),
       "server 'http://10.0.0.1:8080' would get the token in clear; write https://"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      Source source;
      source.kubeconfig(c.text);
      CHECK_THAT(source.error(), Catch::Contains(c.error));
    }
  }
  Source missing;
  missing.source.kubeconfig = missing.folder / "none";
  CHECK_THAT(missing.error(), Catch::Contains((missing.folder / "none").string()));
}

}  // namespace
}  // namespace holdfast::kube
