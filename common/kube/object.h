#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace holdfast::kube {

/// Which objects, as the API server's paths name them.
struct Resource {
  std::string group{};       ///< "net.holdfast.dev"; empty for the core group
  std::string version{};     ///< "v1alpha1"
  std::string plural{};      ///< "nodenetworkconfigurations"
  std::string name_space{};  ///< empty: cluster-scoped, or all namespaces

  /// "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases".
  [[nodiscard]] std::string path() const;
  /// That of one object, or of its subresource. `name` is escaped.
  [[nodiscard]] std::string path(std::string_view name, std::string_view subresource = {}) const;
};

/// Escaped for a path or a query. Source: RFC 3986 section 2.
[[nodiscard]] std::string escape(std::string_view text);

/// Whether the name of an object may consist of it, alone or between dots: small letters, digits and hyphens
/// within. Source: RFC 1123; its length is the caller's to look at.
[[nodiscard]] bool is_name_part(std::string_view text);

/// Of the name that to_string(Code) has for it, as a status of ours tells it; nullopt for another word.
[[nodiscard]] std::optional<Code> parse_code(std::string_view word);

/// What tells one object, and one state of it, from others.
struct ObjectId {
  std::string name{};
  std::string name_space{};
  std::string uid{};
  std::string resource_version{};

  bool operator==(const ObjectId&) const = default;
};

/// A resourceVersion as a number, for those that are: Kubernetes' own are since ever, and by promise
/// since 1.35. Empty, zero and what is no number compare with nothing.
[[nodiscard]] std::optional<std::uint64_t> version_number(std::string_view resource_version);

/// The members of an object that are decoded, by their dotted paths ("spec.podCIDRs",
/// "metadata.annotations"); what ObjectId holds is always. A path does not lead through arrays.
using KeptFields = std::vector<std::string>;

/// The kept part of an object's text. Errors: kDataLoss when it is not one JSON object.
[[nodiscard]] Result<nlohmann::json> parse_object(std::string_view text, const KeptFields& kept);

/// A member that is a string, or else "".
[[nodiscard]] std::string text_of(const nlohmann::json& object, const char* member);

/// Members that are absent are empty, as they are in a bookmark. Errors: kDataLoss when it has no metadata.
[[nodiscard]] Result<ObjectId> id_of(const nlohmann::json& object);

/// What the API server says in an answer that is a failure, or in an ERROR event: a Status object, else the
/// text's beginning. The code is by HTTP status: 400, 422 kInvalidArgument; 401, 403 kPermissionDenied; 404
/// kNotFound; 409 kAlreadyExists or kAborted (conflict); 410 kOutOfRange; 429 kResourceExhausted; 5xx
/// kUnavailable; else kUnknown.
[[nodiscard]] Error error_of_answer(int http_status, std::string_view body);

}  // namespace holdfast::kube
