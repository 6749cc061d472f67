#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "common/base/cidr.h"
#include "common/base/clock.h"
#include "common/base/result.h"

namespace holdfast {

struct WebPage {
  int status = 0;
  std::string body;  ///< at most 1 MiB
};

/// Gets a small page of a daemon on this host, over HTTP/1.0. Blocks, all in all for `patience` at most.
/// Errors: errno, kDeadlineExceeded, kInvalidArgument for an answer that is no HTTP.
[[nodiscard]] Result<WebPage> read_page(Clock& clock, const IpAddress& address, std::uint16_t port,
                                        const std::string& path, std::chrono::milliseconds patience);

}  // namespace holdfast
