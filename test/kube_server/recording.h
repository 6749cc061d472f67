#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/kube/http.h"

namespace holdfast::test {

/// One exchange with a real API server, from test/fixtures/apiserver.
struct Recording {
  kube::HttpRequest request{};
  int status = 0;
  nlohmann::json body{};                ///< a string when it is not JSON
  std::vector<nlohmann::json> lines{};  ///< of a watch, in place of the body
};

/// `name` is the file's, without ".json". Throws when there is none.
[[nodiscard]] Recording load_recording(const std::string& name);

}  // namespace holdfast::test
