#pragma once

#include <functional>
#include <optional>
#include <string>

#include "common/kube/url.h"

namespace holdfast::kube {

/// An environment variable's value, if it is set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

/// The proxy for `url` (http or https) by HTTP_PROXY or HTTPS_PROXY and NO_PROXY, or empty; their lower-case
/// names count when these are not set. NO_PROXY holds names ("example.com" with what is below, ".example.com"
/// only what is below), addresses and CIDRs, each with an optional port, or "*". Localhost and loopback
/// addresses never have one. Source: https://pkg.go.dev/golang.org/x/net/http/httpproxy, by whose rules
/// clusters are configured.
[[nodiscard]] std::string proxy_for(const Url& url, const Environment& environment);

}  // namespace holdfast::kube
