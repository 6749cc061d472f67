#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "common/base/files.h"
#include "common/base/result.h"
#include "common/kube/proxy.h"

namespace holdfast::kube {

/// A secret or certificate: its bytes, or the file that holds them and may be rewritten at any time.
struct Material {
  std::string bytes{};
  std::filesystem::path file{};  ///< absolute; empty when the bytes are given

  [[nodiscard]] bool given() const { return !bytes.empty() || !file.empty(); }
};

/// How the API server is reached, and how we are known to it.
struct Config {
  std::string server{};  ///< "https://10.96.0.1:443", no slash at the end; what a path is added to
  std::filesystem::path unix_socket{};  ///< connects here instead of the server's address, when not empty
  std::string proxy{};                  ///< "http://proxy.example:3128"; empty: none
  std::string tls_server_name{};        ///< the name the certificate must have, when it is not the server's
  bool verify_server = true;
  Material ca{};  ///< PEM; none: the system's
  Material client_certificate{};
  Material client_key{};
  Material token{};
  std::string name_space{};  ///< of the kubeconfig's context or the pod; may be empty
};

/// Where load_config looks.
struct ConfigSource {
  std::filesystem::path kubeconfig{};  ///< empty: as a pod
  std::string context{};               ///< of the kubeconfig; empty: its current one
  std::string server{};                ///< replaces the address, from wherever the rest comes
  bool allow_insecure = false;         ///< whether a kubeconfig may ask not to verify the server
  std::filesystem::path service_account = "/var/run/secrets/kubernetes.io/serviceaccount";
  Environment environment = [](const std::string&) { return std::nullopt; };
};

/// The configuration from a kubeconfig (YAML or JSON), or that of a pod: KUBERNETES_SERVICE_HOST and
/// KUBERNETES_SERVICE_PORT, and the files token, ca.crt and namespace. A server "unix:///path" is a socket.
/// The proxy is the kubeconfig's proxy-url or else that of HTTPS_PROXY, HTTP_PROXY and NO_PROXY.
///
/// Errors: kInvalidArgument or the file's own, with file, field and cure: for what is missing or malformed,
/// for credentials that need another program (exec, auth-provider) or that API servers no longer take
/// (username), for insecure-skip-tls-verify unless it is allowed, and for a secret that would be sent in
/// clear to another machine. Source: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
[[nodiscard]] Result<Config> load_config(Files& files, const ConfigSource& source);

}  // namespace holdfast::kube
