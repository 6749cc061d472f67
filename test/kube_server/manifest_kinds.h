#pragma once

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "common/yaml/yaml.h"
#include "test/kube_server/api_server.h"

namespace holdfast::test {

/// Makes the server know a kind by the definition that a manifest begins with.
inline void define_kind(ApiServer& server, const std::string& manifest) {
  std::ifstream file(manifest);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const nlohmann::json definition = parse_yaml(text).value().front();
  const std::string name = definition["metadata"]["name"];
  server.put("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/" + name, definition);
  server.establish();
}

}  // namespace holdfast::test
