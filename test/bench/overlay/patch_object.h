#pragma once

#include <string>

#include "common/base/result.h"

namespace holdfast::bench {

/// Has an API server on loopback (its URL) merge `patch` into the NodeNetworkConfiguration `name`.
Status patch_object(const std::string& url, const std::string& name, const std::string& patch);

}  // namespace holdfast::bench
