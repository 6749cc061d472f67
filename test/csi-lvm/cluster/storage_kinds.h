#pragma once

#include <string>

#include "test/kube_server/api_server.h"

namespace holdfast::lvm::test {

/// A kubeconfig for a server that asks for no credentials.
[[nodiscard]] std::string plain_kubeconfig(const std::string& url);

/// Makes the server know our kinds, by the definitions of manifests/.
void define_storage_kinds(holdfast::test::ApiServer& server);

}  // namespace holdfast::lvm::test
