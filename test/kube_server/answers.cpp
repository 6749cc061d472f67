#include "test/kube_server/answers.h"

#include <nlohmann/json.hpp>

namespace holdfast::test {
namespace {

using nlohmann::json;

constexpr int kNotFound = 404;
constexpr int kConflict = 409;

}  // namespace

Reply reply_with(int status, const json& body) { return {.status = status, .body = body.dump()}; }

Reply no_such_page() {
  return {.status = kNotFound, .body = "404 page not found\n", .content_type = "text/plain; charset=utf-8"};
}

json failure(int code, const std::string& reason, const std::string& message) {
  return {{"kind", "Status"},    {"apiVersion", "v1"}, {"metadata", json::object()},
          {"status", "Failure"}, {"message", message}, {"reason", reason},
          {"code", code}};
}

Reply fail_with(int code, const std::string& reason, const std::string& message) {
  return reply_with(code, failure(code, reason, message));
}

Reply fail_about(const ServedKind& kind, const std::string& name, int code, const std::string& reason,
                 const std::string& message) {
  json body = failure(code, reason, message);
  body["details"] = {{"name", name}, {"kind", kind.plural}};
  if (!kind.group.empty()) {
    body["details"]["group"] = kind.group;
  }
  return reply_with(code, body);
}

Reply not_found(const ServedKind& kind, const std::string& name) {
  return fail_about(kind, name, kNotFound, "NotFound", kind.qualified() + " \"" + name + "\" not found");
}

Reply was_modified(const ServedKind& kind, const std::string& name) {
  return fail_about(kind, name, kConflict, "Conflict",
                    "Operation cannot be fulfilled on " + kind.qualified() + " \"" + name +
                        "\": the object has been modified; please apply your changes to the latest version "
                        "and try again");
}

}  // namespace holdfast::test
