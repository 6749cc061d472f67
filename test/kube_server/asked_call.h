#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "test/kube_server/http_server.h"
#include "test/kube_server/kinds.h"

namespace holdfast::test {

/// What the API server's authorizer is asked before a request is served. Source:
/// kubernetes.io/docs/reference/ access-authn-authz/authorization, "Review your request attributes".
struct AskedCall {
  std::string verb{};        ///< get, list, watch, create, update, patch, delete or deletecollection
  std::string group{};       ///< empty: the core group
  std::string name_space{};  ///< empty: all of the cluster
  std::string resource{};    ///< "nodes", or "nodes/status"; empty: a page that is no resource
  std::string name{};        ///< empty: any; a list or watch for one name by a field selector has it
  std::string path{};        ///< of what is no resource
  std::string program{};     ///< the User-Agent, without its version

  bool operator==(const AskedCall&) const = default;
};

/// "patch nodes/a/status", "create leases.coordination.k8s.io in kube-system" or "get /version".
[[nodiscard]] std::string text_of(const AskedCall& call);
/// The other way. The program is not in the text.
[[nodiscard]] AskedCall asked_call(std::string_view text);

/// What `request` asks for, whether its kind is served or not: a real server says 403 before 404.
[[nodiscard]] AskedCall asked_by(const ServerRequest& request);
/// Whether it is a server-side apply of a whole object, which must be allowed to make it where there is none.
[[nodiscard]] bool is_apply(const ServerRequest& request, const AskedCall& call);

}  // namespace holdfast::test
