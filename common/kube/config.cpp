#include "common/kube/config.h"

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "common/base/base64.h"
#include "common/base/json.h"
#include "common/base/linked_file.h"
#include "common/kube/url.h"
#include "common/yaml/yaml.h"

namespace holdfast::kube {
namespace {

constexpr std::size_t kMaxKubeconfigBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxNamespaceBytes = 256;
constexpr std::string_view kUnixScheme = "unix://";

tl::unexpected<Error> refuse(const std::string& message) { return fail(Code::kInvalidArgument, message); }

// The entry of `list` ("clusters", "contexts", "users") that is called `name`, and in it the part `part`.
Result<JsonObject> named(const JsonObject& document, const std::string& list, const std::string& part,
                         const std::string& name) {
  HOLDFAST_TRY(const std::vector<JsonField> entries, document[list].array_or_empty());
  for (const JsonField& entry : entries) {
    HOLDFAST_TRY(const JsonObject object, entry.object());
    HOLDFAST_TRY(const std::string given, object["name"].string());
    if (given == name) {
      return object[part].object_or_empty();
    }
  }
  return refuse(list + ": has no entry named '" + name + "'");
}

// The bytes that `data` holds in base64, or else the file that `file` names.
Result<Material> material(const JsonField& data, const JsonField& file, const std::filesystem::path& folder) {
  Material out;
  if (data.present()) {
    HOLDFAST_TRY(const std::string text, data.string());
    auto decoded = decode_base64(text);
    if (!decoded) {
      return refuse(data.path() + ": " + decoded.error().message);
    }
    out.bytes = *std::move(decoded);
  } else if (file.present()) {
    HOLDFAST_TRY(const std::string path, file.string());
    out.file = folder / path;
  }
  return out;
}

Status set_server(Config& config, const std::string& text) {
  if (text.starts_with(kUnixScheme)) {
    config.unix_socket = text.substr(kUnixScheme.size());
    config.server = "http://localhost";
    if (!config.unix_socket.is_absolute()) {
      return refuse("'" + text + "' has no absolute path; write unix:///run/...");
    }
    return {};
  }
  HOLDFAST_TRY(const Url url, parse_url(text));
  config.server = url.to_string();
  config.unix_socket.clear();
  return {};
}

Status take_cluster(Config& config, const JsonObject& cluster, const std::filesystem::path& folder,
                    const ConfigSource& source) {
  const JsonField server = cluster["server"];
  if (source.server.empty()) {
    HOLDFAST_TRY(const std::string text, server.string());
    if (Status set = set_server(config, text); !set) {
      return refuse(server.path() + ": " + set.error().message);
    }
  }
  HOLDFAST_TRY(config.ca,
               material(cluster["certificate-authority-data"], cluster["certificate-authority"], folder));
  HOLDFAST_TRY(config.tls_server_name, cluster["tls-server-name"].string_or(""));
  HOLDFAST_TRY(config.proxy, cluster["proxy-url"].string_or(""));
  const JsonField insecure = cluster["insecure-skip-tls-verify"];
  HOLDFAST_TRY(const bool skip, insecure.boolean_or(false));
  if (skip && !source.allow_insecure) {
    return refuse(insecure.path() +
                  ": anyone on the way could take the credentials; put the CA's certificate into "
                  "certificate-authority-data, or allow it by the program's own option");
  }
  config.verify_server = !skip;
  return {};
}

Status take_user(Config& config, const JsonObject& user, const std::filesystem::path& folder) {
  for (const char* other_program : {"exec", "auth-provider"}) {
    if (user[other_program].present()) {
      return refuse(user[other_program].path() +
                    ": no program is run for credentials; use tokenFile, token or a client certificate");
    }
  }
  if (user["username"].present()) {
    return refuse(user["username"].path() +
                  ": API servers take no passwords since 1.19; use tokenFile, token or a client certificate");
  }
  HOLDFAST_TRY(config.client_certificate,
               material(user["client-certificate-data"], user["client-certificate"], folder));
  HOLDFAST_TRY(config.client_key, material(user["client-key-data"], user["client-key"], folder));
  if (config.client_certificate.given() != config.client_key.given()) {
    return refuse(user.path() + ": client-certificate and client-key are needed both or neither");
  }
  HOLDFAST_TRY(config.token.bytes, user["token"].string_or(""));
  HOLDFAST_TRY(const std::string token_file, user["tokenFile"].string_or(""));
  if (!token_file.empty()) {  // wins over a token, as in client-go
    config.token = {.bytes = "", .file = folder / token_file};
  }
  return {};
}

Result<Config> parse_kubeconfig(const std::string& text, const std::filesystem::path& folder,
                                const ConfigSource& source) {
  HOLDFAST_TRY(const std::vector<nlohmann::json> documents,
               parse_yaml(text, {.max_bytes = kMaxKubeconfigBytes}));
  if (documents.size() != 1) {
    return refuse("holds " + std::to_string(documents.size()) + " documents instead of one");
  }
  HOLDFAST_TRY(const JsonObject document, JsonObject::of(documents.front()));
  std::string context_name = source.context;
  if (context_name.empty()) {
    HOLDFAST_TRY(context_name, document["current-context"].string());
  }
  HOLDFAST_TRY(const JsonObject context, named(document, "contexts", "context", context_name));
  HOLDFAST_TRY(const std::string cluster_name, context["cluster"].string());
  HOLDFAST_TRY(const std::string user_name, context["user"].string_or(""));
  HOLDFAST_TRY(const JsonObject cluster, named(document, "clusters", "cluster", cluster_name));
  Config config;
  HOLDFAST_TRY(config.name_space, context["namespace"].string_or(""));
  HOLDFAST_CHECK(take_cluster(config, cluster, folder, source));
  if (!user_name.empty()) {
    HOLDFAST_TRY(const JsonObject user, named(document, "users", "user", user_name));
    HOLDFAST_CHECK(take_user(config, user, folder));
  }
  return config;
}

Result<Config> read_kubeconfig(Files& files, const ConfigSource& source) {
  auto text = read_linked_file(files, source.kubeconfig, kMaxKubeconfigBytes);
  if (!text) {
    return tl::unexpected(std::move(text).error().within("kubeconfig"));
  }
  auto config = parse_kubeconfig(*text, std::filesystem::absolute(source.kubeconfig).parent_path(), source);
  if (!config) {
    return tl::unexpected(std::move(config).error().within(source.kubeconfig.string()));
  }
  return config;
}

// The files are not read here: a pod's token may come a moment after its start.
Result<Config> pod_config(Files& files, const ConfigSource& source) {
  Config config;
  if (source.server.starts_with("http://")) return config;  // kubectl proxy, and others of the node's own
  config.token.file = source.service_account / "token";
  config.ca.file = source.service_account / "ca.crt";
  config.name_space =
      read_linked_file(files, source.service_account / "namespace", kMaxNamespaceBytes).value_or("");
  if (!source.server.empty()) {
    return config;
  }
  const auto host = source.environment("KUBERNETES_SERVICE_HOST");
  const auto port = source.environment("KUBERNETES_SERVICE_PORT");
  if (!host || !port) {
    return refuse(
        "KUBERNETES_SERVICE_HOST or KUBERNETES_SERVICE_PORT is not set: this is no pod; give a kubeconfig "
        "file");
  }
  const bool bare_ipv6 = host->find(':') != std::string::npos && !host->starts_with('[');
  const std::string text = "https://" + (bare_ipv6 ? "[" + *host + "]" : *host) + ":" + *port;
  if (Status set = set_server(config, text); !set) {
    return tl::unexpected(
        std::move(set).error().within("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT"));
  }
  return config;
}

void settle_proxy(Config& config, const Environment& environment, const Url& url) {
  if (!config.unix_socket.empty()) {
    config.proxy.clear();
  } else if (config.proxy.empty()) {
    config.proxy = proxy_for(url, environment);
  }
}

}  // namespace

Result<Config> load_config(Files& files, const ConfigSource& source) {
  HOLDFAST_TRY(Config config,
               source.kubeconfig.empty() ? pod_config(files, source) : read_kubeconfig(files, source));
  if (!source.server.empty()) {
    HOLDFAST_CHECK(set_server(config, source.server));
  }
  HOLDFAST_TRY(const Url url, parse_url(config.server));
  if (url.scheme == "http" && config.token.given() && !url.is_loopback()) {
    return refuse("server '" + config.server + "' would get the token in clear; write https://");
  }
  settle_proxy(config, source.environment, url);
  return config;
}

}  // namespace holdfast::kube
