#pragma once

#include <cstddef>
#include <string>

#include "common/base/json.h"
#include "common/base/result.h"
#include "egw-gateway/model/edge_gateway.h"

// What edge_gateway.cpp takes an object apart with; for the files of this folder only.
namespace holdfast::gateway {

/// A pool's name is that of an object and begins those of Deployments; a node's may be longer.
inline constexpr std::size_t kLongestName = 63;

/// Errors: kInvalidArgument for what no object can be called. Source: RFC 1123.
[[nodiscard]] Result<std::string> decode_name(const JsonField& field, std::size_t longest);

/// All members of `spec`, as decode_edge_gateway() promises them.
Status decode_spec(const JsonObject& spec, EdgeGateway& out);

}  // namespace holdfast::gateway
