#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string_view>

namespace holdfast::test {

constexpr std::string_view kProtobufType = "application/vnd.kubernetes.protobuf";

/// An object that a client in Go sent as protobuf, as JSON. Known are the kinds that Helm sends so, Secret
/// and DeleteOptions, and of their metadata what is no list; all other members are left out. Nothing: it is
/// another kind, or torn.
/// Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding, and
/// generated.proto of k8s.io/api/core/v1 and k8s.io/apimachinery/pkg/apis/meta/v1.
[[nodiscard]] std::optional<nlohmann::json> object_of_protobuf(std::string_view body);

}  // namespace holdfast::test
