#pragma once

#include <string>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/result.h"

namespace holdfast {

/// The addresses of a host, in order, each once: `host` itself when it is one, else what its name means to
/// the system's resolver, which may take tens of seconds when no name server answers. Errors: kUnavailable,
/// "NAME has no address now: ...". Source: getaddrinfo(3).
[[nodiscard]] Result<std::vector<IpAddress>> addresses_of_host(const std::string& host);

}  // namespace holdfast
