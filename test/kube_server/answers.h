#pragma once

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "test/kube_server/kinds.h"

namespace holdfast::test {

/// What is sent back to a request that is no watch.
struct Reply {
  int status = 200;
  std::string body{};
  std::string content_type = "application/json";
  std::optional<std::chrono::seconds> retry_after{};
};

[[nodiscard]] Reply reply_with(int status, const nlohmann::json& body);
/// "404 page not found": what is said of a path that is not served at all, also by a cache in front of the
/// server that has lost its content.
[[nodiscard]] Reply no_such_page();

/// A Status object of a failure, in the words of a real server. `named` false: without the details.
[[nodiscard]] nlohmann::json failure(int code, const std::string& reason, const std::string& message);
[[nodiscard]] Reply fail_with(int code, const std::string& reason, const std::string& message);
/// A failure about one object, with its details.
[[nodiscard]] Reply fail_about(const ServedKind& kind, const std::string& name, int code,
                               const std::string& reason, const std::string& message);
[[nodiscard]] Reply not_found(const ServedKind& kind, const std::string& name);
[[nodiscard]] Reply was_modified(const ServedKind& kind, const std::string& name);

}  // namespace holdfast::test
